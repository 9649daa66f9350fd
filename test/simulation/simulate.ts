import { RepositoryError } from "#repository/engine-types.ts";
import type { SessionLedger } from "#repository/session-ledger.ts";
import { contentOf, pageCount } from "./disk.ts";
import type { Disk } from "./disk.ts";
import type { Weather } from "./faulty-store.ts";
import { Choice, hourUs, minuteUs } from "./virtual-time.ts";
import type { Process } from "./virtual-time.ts";
import { fairWeather, isFault, Violation, World } from "./world.ts";
import type { Host } from "./world.ts";

export interface SimulationOptions {
  seed: number;
  /** How long the story is, virtual hours; default 16. Stories of a quick pace take a quarter of that. */
  hours?: number | undefined;
  mutate?: ((ledger: SessionLedger) => void) | undefined;
}

export interface SimulationResult {
  seed: number;
  violation: string | undefined;
  steps: number;
  counts: Record<string, number>;
  log: string[];
}

/** The story of one seed: a few days of backups, restores, deletions, collections and bad luck, then rest. The same seed, the same story. */
export async function simulate({ seed, hours = 16, mutate }: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(seed, hours, mutate);
  try {
    await simulation.run();
  } catch (error) {
    simulation.violation ??= error instanceof Violation ? error.message : `unexpected: ${(error as Error).stack ?? String(error)}`;
  }
  simulation.world.close();
  return { seed, violation: simulation.violation, steps: simulation.steps, counts: simulation.counts, log: simulation.world.log };
}

class Simulation {
  readonly world: World;
  readonly counts: Record<string, number> = {};
  violation: string | undefined;
  steps = 0;
  readonly #seed: number;
  readonly #hours: number;
  readonly #choice: Choice;
  readonly #disks: Disk[] = [];
  #hosts: Host[] = [];
  #backups = 0;
  #copy: Uint8Array | undefined;
  #isOver = false;
  /** Backups that were asked for and not answered as made: their roots are to be removed. */
  readonly #unfinished = new Set<string>();
  /** Of the seed's time: half of the stories have a grace period that is far too short to save anyone. */
  readonly #pace: number;
  #clockWasSet = false;
  readonly #mayStandStill: boolean;

  constructor(seed: number, hours: number, mutate: SimulationOptions["mutate"]) {
    this.#seed = seed;
    this.#hours = hours;
    this.#choice = new Choice(seed ^ 0x5bd1e995);
    this.#pace = seed % 3 === 0 ? 1 : 0.25;
    this.world = new World({ seed, weather: weatherOf(seed), graceUs: this.#pace === 1 ? 6 * hourUs : 5 * minuteUs, mutate });
    this.#mayStandStill = this.world.weather.slow > 0;
    for (let disk = 0; disk < 2; disk++) this.#disks.push(this.#changed(new Map(), 6));
  }

  async run(): Promise<void> {
    const { world } = this;
    const startUs = world.time.realNowUs;
    this.#hosts = [this.#newHost("a"), this.#newHost("b")];
    this.#spawn(this.#hosts[0]!.process, () => this.#bringTrouble());
    while (world.time.realNowUs < startUs + this.#hours * hourUs * this.#pace && (await world.time.step())) await this.#afterStep();
    await this.#rest();
  }

  /** The weather clears, what runs comes to its end, leases pass, and collection is done as often as it takes. */
  async #rest(): Promise<void> {
    const { world } = this;
    this.#isOver = true;
    world.say("rest");
    Object.assign(world.weather, fairWeather);
    world.time.setClock(0);
    while (await world.time.step()) await this.#afterStep();
    const host = world.host("last");
    let done = false;
    this.#spawn(host.process, async () => {
      await world.start(host);
      for (const backupId of this.#unfinished) await world.removeRoot(host, backupId);
      for (const backupId of world.doomed.keys()) await world.finishDeletion(host, backupId);
      await world.time.sleep(60 * hourUs, host.process);
      for (let round = 0; round < 6; round++) {
        await world.time.sleep(7 * hourUs, host.process);
        await world.collect(host);
      }
      done = true;
    });
    while (await world.time.step()) await this.#afterStep();
    if (!done) throw new Violation("the last collections did not come to an end");
    for (const backupId of world.committed.keys()) {
      let restored = false;
      this.#spawn(host.process, async () => {
        await world.restore(host, backupId);
        restored = true;
      });
      while (await world.time.step()) await this.#afterStep();
      if (!restored) throw new Violation(`the last restore of ${backupId} did not come to an end`);
    }
    await world.checkNoGarbage();
  }

  async #afterStep(): Promise<void> {
    this.steps++;
    if (this.violation !== undefined) throw new Violation(this.violation);
    await this.world.check();
  }

  #newHost(name: string): Host {
    const { world } = this;
    const host = world.host(name);
    this.#spawn(host.process, async () => {
      await world.start(host);
      this.#spawn(host.process, () => this.#keepBackingUp(host));
      this.#spawn(host.process, () => this.#keepDeleting(host));
      this.#spawn(host.process, () => this.#keepCollecting(host));
      this.#spawn(host.process, () => this.#keepRestoring(host));
    });
    return host;
  }

  /** Work of a process; only what breaks a promise may escape it. */
  #spawn(process: Process, work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (process.crashed) return;
      this.violation ??= error instanceof Violation ? error.message : `${process.name}: ${(error as Error).stack ?? String(error)}`;
    });
  }

  async #keepBackingUp(host: Host): Promise<void> {
    const { world } = this;
    for (;;) {
      await world.time.sleep(this.#choice.next() * 5 * hourUs * this.#pace, host.process);
      if (this.#isOver) return;
      const volume = this.#choice.below(this.#disks.length);
      const disk = this.#changed(this.#disks[volume]!, 1 + this.#choice.below(3));
      this.#disks[volume] = disk;
      const bases = [...world.committed.keys()].filter((id) => id.startsWith(`v${volume}-`));
      const baseId = this.#choice.chance(0.7) ? bases.at(-1 - this.#choice.below(Math.min(2, bases.length))) : undefined;
      const backupId = `v${volume}-${++this.#backups}`;
      this.#unfinished.add(backupId);
      world.say(`${host.process.name}: backup ${backupId} begins`);
      const startedUs = world.time.realNowUs;
      const isSlow = this.#choice.chance(0.3);
      if (isSlow && baseId !== undefined && this.#choice.chance(0.5)) this.#spawn(host.process, () => this.#deleteSoon(host, baseId));
      try {
        await world.backUp(host, backupId, disk, baseId, isSlow ? 10 * minuteUs : 20e6);
        this.#unfinished.delete(backupId);
        this.#note("backups");
      } catch (error) {
        this.#judge(error, baseId, startedUs);
        world.say(`${host.process.name}: backup ${backupId} failed: ${(error as Error).message}`);
        this.#note("failed backups");
        await world.removeRoot(host, backupId);
        this.#unfinished.delete(backupId);
      }
    }
  }

  /** A run may fail because the store did, its lease passed, or its base was deleted before it came to it; for nothing else. */
  #judge(error: unknown, baseId: string | undefined, startedUs: number): void {
    if (isFault(error)) return;
    const code = error instanceof RepositoryError ? error.code : undefined;
    const stoodStill = this.world.time.realNowUs - startedUs > 15 * minuteUs && this.#mayStandStill;
    if (code === "sessionLost" && (stoodStill || this.#clockWasSet || this.world.isRolledBack)) return;
    if (code === "missingRoot" && baseId !== undefined) return;
    throw error instanceof Violation ? error : new Violation(`a backup failed without a reason: ${(error as Error).stack ?? String(error)}`);
  }

  async #keepDeleting(host: Host): Promise<void> {
    const { world } = this;
    for (;;) {
      await world.time.sleep(this.#choice.next() * 9 * hourUs * this.#pace, host.process);
      if (this.#isOver) return;
      if (this.#choice.chance(0.25)) {
        const backupId = this.#choice.pick([...world.deleted.keys()]);
        if (backupId === undefined) continue;
        this.#unfinished.add(backupId);
        try {
          await world.undelete(host, backupId);
          this.#unfinished.delete(backupId);
          this.#note("undeletions");
        } catch (error) {
          this.#note("failed undeletions");
          if (!isFault(error) && !(error instanceof RepositoryError)) throw error;
        }
        continue;
      }
      const backupId = this.#choice.pick([...world.committed.keys()]);
      if (backupId === undefined) continue;
      await world.delete(host, backupId);
      this.#note("deletions");
    }
  }

  /** Of a base while it is being compared with. */
  async #deleteSoon(host: Host, backupId: string): Promise<void> {
    await this.world.time.sleep(this.#choice.next() * minuteUs, host.process);
    if (this.world.committed.has(backupId)) await this.world.delete(host, backupId);
  }

  async #keepCollecting(host: Host): Promise<void> {
    const { world } = this;
    for (;;) {
      await world.time.sleep(this.#choice.next() * 1.6 * hourUs * this.#pace, host.process);
      if (this.#isOver) return;
      try {
        const { done } = await world.collect(host, { dryRun: this.#choice.chance(0.1) });
        this.#note("collections");
        this.#note("condemned", done.condemned);
        this.#note("compacted", done.compacted);
        this.#note("deleted packs", done.deleted);
        this.#note("revived", done.revived);
        this.#note("adopted", done.adopted);
        this.#note("purged", done.purged);
      } catch (error) {
        const code = error instanceof RepositoryError ? error.code : undefined;
        if (!isFault(error) && code !== "collectRunning" && code !== "indexOutdated") throw error;
        world.say(`${host.process.name}: collection failed: ${(error as Error).message}`);
        if (code === "indexOutdated") {
          this.#note("outdated");
          if (!world.isRolledBack) throw new Violation("an index that is the newest is called an older copy");
        }
        this.#note("failed collections");
      }
    }
  }

  async #keepRestoring(host: Host): Promise<void> {
    const { world } = this;
    for (;;) {
      await world.time.sleep(this.#choice.next() * 12 * hourUs * this.#pace, host.process);
      if (this.#isOver) return;
      const backupId = this.#choice.pick([...world.committed.keys()]);
      if (backupId === undefined) continue;
      await world.restore(host, backupId);
      this.#note("restores");
    }
  }

  async #bringTrouble(): Promise<void> {
    const { world } = this;
    const trouble = this.#seed % 4;
    const process = world.host("trouble").process;
    for (;;) {
      await world.time.sleep(this.#choice.next() * 6 * hourUs * this.#pace, process);
      if (this.#isOver || trouble === 0) return;
      const what = this.#choice.next();
      if (what < 0.4) this.#crash(this.#choice.below(2));
      else if (what < 0.5) this.#setClock();
      else if (trouble === 3) {
        if (this.#copy === undefined || this.#choice.chance(0.4)) this.#copy = world.copyDatabase();
        else {
          world.say("the database is rolled back");
          this.#note("rollbacks");
          for (const host of this.#hosts) host.process.crashed = true;
          world.rollBack(this.#copy);
          this.#hosts = [this.#newHost("a"), this.#newHost("b")];
        }
      }
    }
  }

  #setClock(): void {
    this.#clockWasSet = true;
    this.world.say("the clock is set");
    this.#note("clock changes");
    this.world.time.setClock((this.#choice.next() - 0.5) * 48 * hourUs);
  }

  #crash(which: number): void {
    const { world } = this;
    const host = this.#hosts[which]!;
    host.process.crashed = true;
    world.say(`${host.process.name} crashes`);
    this.#note("crashes");
    this.#hosts[which] = this.#newHost(`${host.process.name.slice(0, 1)}${this.counts["crashes"]}`);
  }

  #changed(disk: Disk, places: number): Disk {
    const changed: Disk = new Map(disk);
    for (let n = 0; n < places; n++) {
      const chunk = this.#choice.below(pageCount) * 1024 + this.#choice.below(4);
      if (this.#choice.chance(0.1)) changed.delete(chunk);
      else {
        const content = this.#choice.below(24);
        contentOf(content);
        changed.set(chunk, content);
      }
    }
    return changed;
  }

  #note(what: string, count = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + count;
  }
}

/** Half of the worlds have a store that never fails, so that what fails there has no excuse. */
function weatherOf(seed: number): Weather {
  const choice = new Choice(seed ^ 0x2c1b3c6d);
  if (seed % 2 === 0) return { ...fairWeather, slow: seed % 4 === 0 ? 0 : 0.01 };
  // An index that has just come back relies on a listing for what it does not know.
  const lostEntries = seed % 4 === 3 ? 0 : choice.next() * 0.2;
  return { errorBefore: choice.next() * 0.01, errorAfter: choice.next() * 0.01, lostEntries, slow: choice.next() * 0.02 };
}
