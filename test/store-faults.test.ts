/** A store that fails, before or after the effect or half-way through; that is slow or full; of a newer format; and a clock that is set back. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { CollectReport } from "#repository/collect.ts";
import { EngineCore } from "#repository/engine-core.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { RepositoryErrorCode } from "#repository/engine-types.ts";
import { ChunkIndex } from "#repository/index.ts";
import { sessionLeaseUs } from "#repository/session-ledger.ts";
import { systemClock } from "#platform/clock.ts";
import { systemRandom } from "#platform/random.ts";
import { FaultyStore, weather } from "./support/faulty-store.ts";
import type { Fault } from "./support/faulty-store.ts";
import { noise } from "./support/world.ts";

const folder = mkdtempSync(join(tmpdir(), "opencbr-faults-"));
const opened: EngineCore[] = [];
after(async () => {
  for (const core of opened) await core.close();
  rmSync(folder, { recursive: true, force: true });
});

const chunkBytes = 65536;
const masterKey = new Uint8Array(32).fill(9);
const hourUs = 3600 * 1_000_000;
const dayUs = 24 * hourUs;
const everyKind = ["before", "after", "half"] as const;
let names = 0;

const said = (outcome: { value: unknown } | RepositoryError): string => (outcome instanceof RepositoryError ? outcome.message : "it worked");

/** Stands where it is told to. */
function settableClock() {
  let us = 1_900_000_000_000_000;
  let wrongUs = 0;
  return {
    nowUs: () => ++us + wrongUs,
    elapsedUs: () => us,
    /** It is wrong by so much from now on. */
    beWrong(byUs: number) {
      wrongUs = byUs;
    },
    sleep: systemClock.sleep.bind(systemClock),
    add(deltaUs: number) {
      us += deltaUs;
    },
  };
}

async function makeWorld() {
  const store = new FaultyStore();
  const clock = settableClock();
  const indexPath = join(folder, `index-${++names}.db`);
  const open = async (): Promise<EngineCore> => {
    const core = await EngineCore.over(store, { indexPath, masterKey, laneCount: 1 }, systemRandom, clock);
    opened.push(core);
    return core;
  };
  let core = await open();
  return {
    store,
    clock,
    indexPath,
    open,
    get core() {
      return core;
    },
    async reopen() {
      await opened.splice(opened.indexOf(core), 1)[0]!.close();
      core = await open();
    },
    /** Whatever fails from now on is told as an error of the repository. */
    during: async <T>(plan: FaultyStore["plan"], work: () => Promise<T>): Promise<{ value: T } | RepositoryError> => {
      store.plan = plan;
      try {
        return { value: await work() };
      } catch (error) {
        assert.ok(error instanceof RepositoryError, String((error as Error).stack));
        return error;
      } finally {
        store.plan = () => undefined;
      }
    },
    backup: (tenant: string, backupId: string, content: Uint8Array, more: { baseId?: string; signal?: AbortSignal } = {}) => {
      const path = join(folder, `disk-${++names}`);
      writeFileSync(path, content);
      const { signal, baseId } = more;
      const source = { kind: "file", path } as const;
      return core
        .backup(
          { tenant, backupId, source, document: {}, chunkBytes, compressionLevel: 1, ...(baseId !== undefined && { baseId }) },
          signal === undefined ? {} : { signal },
        )
        .finally(() => rmSync(path));
    },
    async holds(tenant: string, backupId: string, content: Uint8Array, note: string): Promise<void> {
      const path = join(folder, `restored-${++names}`);
      await core.restore({ tenant, backupId, target: { kind: "file", path }, sizeBytes: content.length }, {});
      assert.ok(readFileSync(path).equals(content), note);
      rmSync(path);
    },
    collect: (tenant: string): Promise<CollectReport> =>
      core.collect({ tenant, dryRun: false, graceUs: dayUs, maxCondemnRatio: 1, compactBelowRatio: 0.5, orphanUs: 7 * dayUs }, {}),
    async isSound(tenant: string, note: string): Promise<void> {
      const found = await core.check({ tenant, nowUs: clock.nowUs(), readData: { percent: 100 } }, {});
      assert.deepEqual(found.damagedBackups, [], note);
    },
  };
}

/** Does the same once for each request that it makes, which fails in each of the ways; `story` tells whether it has come to an end unharmed. */
async function atEachRequest(story: (plan: FaultyStore["plan"], note: string) => Promise<void>): Promise<number> {
  let stories = 0;
  for (const kind of everyKind) {
    for (let at = 1; ; at++) {
      let seen = 0;
      let hasMet = false;
      const plan = (request: string): Fault | undefined => {
        // After its effect, what only reads has failed as it would have before.
        if ((kind === "half" && request !== "put") || (kind === "after" && request !== "put" && request !== "delete")) return undefined;
        if (++seen !== at) return undefined;
        hasMet = true;
        return { kind };
      };
      await story(plan, `${kind} request ${at}`);
      stories++;
      if (!hasMet) break;
      assert.ok(at < 200, "it makes ever more requests");
    }
  }
  return stories;
}

const one = noise(5 * chunkBytes, 1);
const two = Buffer.concat([one.subarray(0, 3 * chunkBytes), noise(3 * chunkBytes, 2)]);
const couldNot: RepositoryErrorCode[] = ["storeUnavailable", "indexOutdated"];

test("a store that fails at any request of a backup, in any way: the error is told, earlier backups stay, the next backup works", async () => {
  const world = await makeWorld();
  await world.backup("t", "first", one);
  let n = 0;
  const stories = await atEachRequest(async (plan, note) => {
    const backupId = `second-${++n}`;
    const content = Buffer.concat([one.subarray(0, 3 * chunkBytes), noise(3 * chunkBytes, 1000 + n)]);
    const outcome = await world.during(plan, () => world.backup("t", backupId, content, { baseId: "first" }));
    if (outcome instanceof RepositoryError) {
      assert.equal(outcome.code, "storeUnavailable", `${note}: ${outcome.message}`);
      assert.match(outcome.message, /the store failed/, note);
      await world.core.discardRoot("t", backupId);
    } else await world.holds("t", backupId, content, note);
    assert.equal((await world.core.listRoots("t")).includes(backupId), !(outcome instanceof RepositoryError), note);
    await world.holds("t", "first", one, note);
    await world.backup("t", `third-${n}`, content);
    await world.holds("t", `third-${n}`, content, note);
  });
  assert.ok(stories >= 10, `${stories} stories`);
  await world.reopen();
  await world.isSound("t", "after all");
  await world.holds("t", "first", one, "after all");
});

test("a store that fails at any request of a restore or a read: told, and no wrong byte", async () => {
  const world = await makeWorld();
  await world.backup("t", "first", one);
  await atEachRequest(async (plan, note) => {
    await world.reopen();
    const outcome = await world.during(plan, () => world.holds("t", "first", one, note));
    if (outcome instanceof RepositoryError) assert.equal(outcome.code, "storeUnavailable", `${note}: ${outcome.message}`);
    const read = await world.during(plan, () => world.core.readRange({ tenant: "t", backupId: "first", offset: 0, length: one.length }));
    if ("value" in read) assert.ok(Buffer.from(read.value).equals(one), note);
    assert.deepEqual(await world.core.damage("t"), [], `${note}: a store that cannot be reached is no damage`);
  });
});

test("a store that fails at any request of a deletion or a collection: done again it comes to its end, and only garbage goes", async () => {
  const world = await makeWorld();
  let n = 0;
  const stories = await atEachRequest(async (plan, note) => {
    const tenant = `t${++n}`;
    await world.backup(tenant, "keep", one);
    await world.backup(tenant, "gone", noise(4 * chunkBytes, 100 + n));
    let asked = 0;
    let failed = 0;
    const steps: (() => Promise<unknown>)[] = [
      () => world.core.deleteRoot(tenant, "gone"),
      () => world.collect(tenant),
      async () => world.clock.add(2 * dayUs),
      () => world.collect(tenant),
      async () => world.clock.add(2 * dayUs),
      () => world.collect(tenant),
    ];
    for (const step of steps) {
      for (;;) {
        const outcome = await world.during(plan, step);
        if (!(outcome instanceof RepositoryError)) break;
        assert.ok(couldNot.includes(outcome.code), `${note}: ${outcome.code} ${outcome.message}`);
        // Half of the word about a deletion is as good as that of somebody else: whoever opens the repository anew starts over.
        if (outcome.code === "indexOutdated") await world.reopen();
        assert.ok(++failed < 5, `${note}: ${outcome.message}`);
      }
      asked++;
    }
    assert.equal(asked, steps.length);
    // Whoever starts over condemns anew.
    for (let round = failed > 0 ? 0 : 2; round < 2; round++) {
      world.clock.add(2 * dayUs);
      await world.collect(tenant);
    }
    await world.holds(tenant, "keep", one, note);
    await world.isSound(tenant, note);
    assert.deepEqual(await world.core.listDeleted(tenant), [], note);
    const packs = await world.store.keys(`t/${tenant}/packs/`);
    assert.equal(packs.length, 2, `${note}: ${packs.length} packs are left`);
  });
  assert.ok(stories > 20, `${stories} stories`);
});

test("seeded faults over a life of backups, deletions, collections and reopenings: whatever was answered as made restores", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const world = await makeWorld();
    const made = new Map<string, Buffer>();
    const plan = weather(seed, 0.06, everyKind);
    // A tenant that has a key: its half is no part of this story.
    await world.backup("t", "first", one);
    made.set("first", one);
    for (let n = 0; n < 14; n++) {
      const content = Buffer.concat([one.subarray(0, (n % 5) * chunkBytes), noise(2 * chunkBytes, seed * 100 + (n % 7))]);
      const id = `b${n}`;
      const outcome = await world.during(plan, () => world.backup("t", id, content, n % 2 ? { baseId: "first" } : {}));
      if ("value" in outcome) made.set(id, content);
      else await world.core.discardRoot("t", id);
      if (n % 4 === 3) {
        const victim = [...made.keys()].at(-1)!;
        if (victim !== "first") {
          made.delete(victim);
          await world.during(plan, () => world.core.deleteRoot("t", victim));
        }
      }
      if (n % 3 === 2) await world.during(plan, () => world.collect("t"));
      world.clock.add(30 * hourUs);
      if (n % 5 === 4) await world.reopen();
    }
    for (const [id, content] of made) await world.holds("t", id, content, `seed ${seed}, backup ${id}`);
    await world.isSound("t", `seed ${seed}`);
  }
});

test("a store that is full in the middle of a pack: told as such, and with space again all works", async () => {
  const world = await makeWorld();
  await world.backup("t", "first", one);
  const contents = { scannable: two, unreadable: Buffer.concat([one, noise(chunkBytes, 8)]) };
  for (const [name, content] of Object.entries(contents)) {
    const outcome = await world.during(
      (request, key) => (request === "put" && key.includes("/packs/") ? { kind: "half", code: "noSpace" } : undefined),
      () => world.backup("t", `${name}-failed`, content),
    );
    assert.ok(outcome instanceof RepositoryError && outcome.code === "noSpace", said(outcome));
    await world.holds("t", "first", one, "full");
    assert.ok(!(await world.core.listRoots("t")).includes(`${name}-failed`));
    await world.reopen();
    // Of a pack's half, the records that are whole are as good as any.
    assert.deepEqual([world.core.reconciled.added, world.core.reconciled.damaged.length], name === "scannable" ? [1, 0] : [0, 1], name);
    await world.backup("t", name, content);
    await world.holds("t", name, content, "space again");
  }
  const before = (await world.store.keys("t/t/packs/")).length;
  await world.collect("t");
  assert.equal((await world.store.keys("t/t/packs/")).length, before, "what cannot be read stays for a week");
  world.clock.add(8 * dayUs);
  assert.equal((await world.collect("t")).done.sweptOrphans, 1);
  await world.reopen();
  for (const [name, content] of Object.entries({ first: one, ...contents })) await world.holds("t", name, content, "swept");
  await world.isSound("t", "swept");
});

test("slow answers: a backup and a restore come to their end, and a cancelled backup leaves nothing but packs that nobody refers to", async () => {
  const world = await makeWorld();
  await world.during(
    () => ({ kind: "slow", ms: 15 }),
    () => world.backup("t", "first", one),
  );
  await world.during(
    () => ({ kind: "slow", ms: 15 }),
    () => world.holds("t", "first", one, "slow"),
  );
  const before = new Set(await world.store.keys());
  const cancel = new AbortController();
  let answer!: () => void;
  const until = new Promise<void>((resolve) => (answer = resolve));
  const running = world.during(
    (request, key) => {
      if (request !== "put" || !key.includes("/packs/")) return undefined;
      cancel.abort();
      setTimeout(answer, 50);
      return { kind: "hold", until };
    },
    () => world.backup("t", "second", two, { signal: cancel.signal }),
  );
  const outcome = await running;
  assert.ok(outcome instanceof RepositoryError && outcome.code === "cancelled", said(outcome));
  const left = (await world.store.keys()).filter((key) => !before.has(key));
  assert.ok(
    left.every((key) => key.startsWith("t/t/packs/")),
    left.join(),
  );
  world.clock.add(hourUs);
  for (let n = 0; n < 3; n++) {
    await world.collect("t");
    world.clock.add(2 * dayUs);
  }
  const packs = (await world.store.keys("t/t/packs/")).filter((key) => !before.has(key));
  assert.deepEqual(packs, []);
  await world.holds("t", "first", one, "after the cancelled one");
});

test("a repository of a newer format, an index of another repository: refused by name, and nothing is written", async () => {
  const world = await makeWorld();
  await world.backup("t", "first", one);
  await opened.splice(opened.indexOf(world.core), 1)[0]!.close();
  const [recordKey] = (await world.store.keys()).filter((key) => !key.includes("/"));
  const record = await world.store.objects.get(recordKey!);
  const newer = Buffer.from(
    Buffer.from(record)
      .toString()
      .replace(/"version": 1/, '"version": 2'),
  );
  await world.store.objects.delete(recordKey!);
  await world.store.objects.putIfAbsent(recordKey!, [newer]);
  const keys = await world.store.keys();
  await assert.rejects(world.open(), (error) => error instanceof RepositoryError && error.code === "newerFormat" && /format 2/.test(error.message));
  assert.deepEqual(await world.store.keys(), keys);
  await world.store.objects.delete(recordKey!);
  await world.store.objects.putIfAbsent(recordKey!, [record]);
  const other = await makeWorld();
  await assert.rejects(
    EngineCore.over(world.store, { indexPath: other.indexPath, masterKey, laneCount: 1 }, systemRandom),
    (error) => error instanceof RepositoryError && error.code === "notARepository" && /is that of repository/.test(error.message),
  );
  const again = await EngineCore.over(world.store, { indexPath: join(folder, "made-anew.db"), masterKey, laneCount: 1 }, systemRandom);
  opened.push(again);
  assert.ok(Buffer.from(await again.readRange({ tenant: "t", backupId: "first", offset: 0, length: one.length })).equals(one));
});

test("two collections at once: one works, the other is told; a dead one holds for its lease, also with the clock set back", async () => {
  const world = await makeWorld();
  await world.backup("t", "first", one);
  const second = await world.open();
  let answer!: () => void;
  const until = new Promise<void>((resolve) => (answer = resolve));
  world.store.plan = (request) => (request === "list" ? { kind: "hold", until } : undefined);
  const working = world.collect("t");
  for (const core of [world.core, second]) {
    await assert.rejects(
      core.collect({ tenant: "t", dryRun: false, graceUs: dayUs, maxCondemnRatio: 1, compactBelowRatio: 0.5, orphanUs: dayUs }, {}),
      (error) => error instanceof RepositoryError && error.code === "collectRunning",
    );
  }
  // The one that works stands still from here on as if it had died; time goes on, from a day earlier.
  world.clock.add(-dayUs);
  await assert.rejects(world.collect("t"), /another collection is running/);
  world.clock.add(11 * 60 * 1_000_000);
  world.store.plan = () => undefined;
  await world.collect("t");
  answer();
  await assert.rejects(working, (error) => error instanceof RepositoryError && error.code === "collectRunning");
  await world.holds("t", "first", one, "after both");
});

test("what is deleted or condemned while the clock is wrong keeps its grace when the clock is put right, also across a start", async () => {
  for (const restarts of [false, true]) {
    for (const wrongUs of [-3 * dayUs, 3 * dayUs]) {
      const note = `wrong by ${wrongUs / dayUs} days${restarts ? ", with starts in between" : ""}`;
      const world = await makeWorld();
      const beWrong = async (byUs: number): Promise<void> => {
        world.clock.beWrong(byUs);
        if (restarts) await world.reopen();
      };
      await world.backup("t", "kept", one);
      await world.backup("t", "gone", noise(4 * chunkBytes, 3));
      await beWrong(wrongUs);
      await world.core.deleteRoot("t", "gone");
      await beWrong(0);
      assert.equal((await world.collect("t")).done.purged, 0, `${note}: it was deleted just now`);
      world.clock.add(dayUs - hourUs);
      assert.equal(await world.core.undelete("t", "gone"), true);

      await world.core.deleteRoot("t", "gone");
      world.clock.add(dayUs + hourUs);
      await beWrong(wrongUs);
      assert.ok((await world.collect("t")).done.condemned > 0, note);
      world.clock.add(hourUs);
      await beWrong(0);
      assert.equal((await world.collect("t")).done.deleted, 0, `${note}: condemned an hour ago`);
      world.clock.add(dayUs);
      assert.ok((await world.collect("t")).done.deleted > 0, `${note}: a day is a day`);
      await world.holds("t", "kept", one, "after all that");
    }
  }
});

test("a clock set back by a day: nothing goes early, a backup under way ends well, a dead one's session does not hold for a day", async () => {
  const world = await makeWorld();
  await world.backup("t", "first", one);
  await world.backup("t", "gone", noise(4 * chunkBytes, 3));
  await world.core.deleteRoot("t", "gone");
  world.clock.add(-dayUs);
  const [deleted] = await world.core.listDeleted("t");
  assert.equal(deleted?.backupId, "gone");
  assert.equal((await world.collect("t")).done.purged, 0);
  world.clock.add(dayUs - hourUs);
  assert.equal((await world.collect("t")).done.purged, 0);
  assert.equal(await world.core.undelete("t", "gone"), true);
  await world.holds("t", "gone", noise(4 * chunkBytes, 3), "brought back");
  await world.core.deleteRoot("t", "gone");

  const index = ChunkIndex.open(world.indexPath, world.core.repositoryId);
  const leaseUntilUs = world.clock.nowUs() + sessionLeaseUs;
  index.ledger.openSession({ token: systemRandom.bytes(16), tenant: "t", backupId: "dead", pin: "first", leaseUntilUs });
  world.clock.add(-dayUs);
  await world.collect("t");
  assert.equal(index.ledger.openSessionCount(), 1, "it may be alive");
  world.clock.add(sessionLeaseUs + 1_000_000);
  await world.collect("t");
  assert.equal(index.ledger.openSessionCount(), 0);
  index.close();
  world.clock.add(dayUs);

  let isSetBack = false;
  let hasCollected: Promise<unknown> | undefined;
  const outcome = await world.during(
    (request, key) => {
      if (request !== "put" || !key.includes("/packs/") || isSetBack) return undefined;
      isSetBack = true;
      world.clock.add(-dayUs);
      hasCollected = world.collect("t");
      return { kind: "hold", until: hasCollected.then(() => undefined) };
    },
    () => world.backup("t", "second", two, { baseId: "first" }),
  );
  assert.ok(isSetBack && "value" in outcome, said(outcome));
  assert.ok(outcome.value.durationMs >= 0);
  await world.holds("t", "second", two, "made while the clock was set back");
  for (let n = 0; n < 4; n++) {
    world.clock.add(dayUs);
    await world.collect("t");
  }
  assert.deepEqual(await world.core.listDeleted("t"), []);
  await world.holds("t", "first", one, "after all");
  await world.holds("t", "second", two, "after all");
  await world.isSound("t", "after all");
});
