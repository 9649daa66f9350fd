import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Random } from "#platform/random.ts";
import { Claims } from "#repository/backup-pipeline-claims.ts";
import { moveToBin } from "#repository/collect-bin.ts";
import { undelete } from "#repository/collect-undelete.ts";
import { adoptGeneration } from "#repository/collect-generation.ts";
import { collectTenant } from "#repository/collect.ts";
import type { CollectParts, CollectReport, CollectRequest } from "#repository/collect.ts";
import { RepositoryReader } from "#repository/engine-reader.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { ChunkIndex } from "#repository/index.ts";
import { binPrefix, hexOf, packObjectKey, packPrefix, parsePackKey, rootObjectKey, rootPrefix } from "#repository/layout.ts";
import { decodePage, encodePage, flatPageBytes, isHolePage, pageChunks, pageIdOf } from "#repository/page.ts";
import { openRecord } from "#repository/record.ts";
import { openRoot } from "#repository/root.ts";
import { packStates } from "#repository/session-ledger.ts";
import type { SessionLedger } from "#repository/session-ledger.ts";
import { StorageError } from "#storage/store.ts";
import { chunkBytes, contentOf, diskBytes, keys, pageCount, tenant } from "./disk.ts";
import type { Disk } from "./disk.ts";
import { fairWeather, FaultyStore, WorldStore } from "./faulty-store.ts";
import type { Weather } from "./faulty-store.ts";
import { Choice, hourUs, Process, VirtualTime } from "./virtual-time.ts";
import { backUp } from "./writer.ts";

const repositoryId = "00112233-4455-4677-8899-aabbccddeeff";

/** One running service: crashes as a whole. */
export interface Host {
  process: Process;
  store: FaultyStore;
  reader: RepositoryReader;
  claims: Claims;
}

export interface WorldOptions {
  seed: number;
  weather: Weather;
  graceUs: number;
  /** Changes the protocol, to see whether that is noticed. */
  mutate?: ((ledger: SessionLedger) => void) | undefined;
}

/** What went wrong: not with the simulated store, but with what is promised. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** A repository in virtual time, and what it must hold. */
export class World {
  readonly time = new VirtualTime();
  readonly choice: Choice;
  readonly store = new WorldStore();
  readonly committed = new Map<string, Disk>();
  readonly deleted = new Map<string, Disk>();
  /** Asked to be deleted, and not answered yet. */
  readonly doomed = new Map<string, Disk>();
  readonly log: string[] = [];
  readonly random: Random;
  index: ChunkIndex;
  /** Set once an older database has come back: what it calls condemned may be in use. */
  isRolledBack = false;
  /** False from then on until a service has started and made the index agree with the store. */
  isReconciled = true;
  weather: Weather;
  readonly graceUs: number;
  readonly #mutate: WorldOptions["mutate"];
  #database: DatabaseSync;
  #verified = new Set<string>();
  #checkedVersion = "";
  #uuids = 0;

  constructor({ seed, weather, graceUs, mutate }: WorldOptions) {
    this.graceUs = graceUs;
    this.choice = new Choice(seed);
    this.weather = weather;
    this.#mutate = mutate;
    this.random = { bytes: (length) => this.choice.bytes(length), uuid: () => `uuid-${this.#uuids++}` };
    this.#database = new DatabaseSync(":memory:");
    this.index = this.#open();
    this.store.onDelete = (key) => this.#checkDelete(key);
  }

  close(): void {
    this.index.close();
  }

  say(text: string): void {
    this.log.push(`${((this.time.realNowUs - 1e12) / hourUs).toFixed(3)} h ${text}`);
  }

  host(name: string): Host {
    const process = new Process(name);
    const store = new FaultyStore(this.store, this.time, this.choice, process, this.weather);
    return { process, store, reader: new RepositoryReader(store, this.index), claims: new Claims() };
  }

  collectParts({ store, reader }: Host): CollectParts {
    return { store, index: this.index, reader, clock: this.time, random: this.random, keysOf: async () => keys, packBytes: 1400 };
  }

  // What actors do

  async backUp(host: Host, backupId: string, disk: Disk, baseId: string | undefined, readUs: number): Promise<void> {
    const parts = {
      store: host.store,
      index: this.index,
      clock: this.time,
      random: this.random,
      // Nothing of the base is remembered from before.
      reader: new RepositoryReader(host.store, this.index),
      claims: host.claims,
      read: () => this.time.sleep(this.choice.next() * readUs, host.process),
    };
    await backUp(parts, backupId, disk, baseId);
    this.committed.set(backupId, disk);
    this.say(`${host.process.name}: backup ${backupId} (base ${baseId ?? "none"}) committed`);
  }

  /** From the moment of asking the backup is nobody's any more; it is gone when this returns. */
  async delete(host: Host, backupId: string): Promise<void> {
    this.doomed.set(backupId, this.committed.get(backupId)!);
    this.committed.delete(backupId);
    this.say(`${host.process.name}: deleting ${backupId}`);
    await this.finishDeletion(host, backupId);
  }

  async finishDeletion(host: Host, backupId: string): Promise<void> {
    await this.#insistently(host, () => moveToBin(host.store, this.index.ledger, tenant, backupId, this.time));
    this.deleted.set(backupId, this.doomed.get(backupId)!);
    this.doomed.delete(backupId);
  }

  async undelete(host: Host, backupId: string): Promise<void> {
    const disk = this.deleted.get(backupId)!;
    this.deleted.delete(backupId);
    const parts = { ...this.collectParts(host), tenant, keys };
    if (!(await undelete(parts, backupId))) return;
    this.committed.set(backupId, disk);
    this.say(`${host.process.name}: ${backupId} is back`);
  }

  async collect(host: Host, options: Partial<CollectRequest> = {}): Promise<CollectReport> {
    const report = await collectTenant(this.collectParts(host), {
      tenant,
      dryRun: false,
      graceUs: this.graceUs,
      maxCondemnRatio: 1,
      compactBelowRatio: 0.5,
      orphanUs: 7 * this.graceUs,
      ...options,
    });
    this.say(`${host.process.name}: collected ${JSON.stringify(report.done)} of ${report.rootCount} roots${report.plan.stopped ?? ""}`);
    return report;
  }

  /** Reads all of a backup as a restore would; it must be what it was, unless it is deleted meanwhile or the store fails. */
  async restore(host: Host, backupId: string): Promise<void> {
    const disk = this.committed.get(backupId)!;
    try {
      const root = await host.reader.root(tenant, keys, backupId);
      if (root === undefined) throw new Violation(`committed backup ${backupId} has no root object`);
      for (const [chunk, content] of disk) {
        const bytes = await host.reader.range(tenant, keys, root, chunk * chunkBytes, chunkBytes);
        if (Buffer.compare(bytes, contentOf(content).plain) !== 0) throw new Violation(`backup ${backupId} restored other bytes`);
      }
    } catch (error) {
      if (!this.committed.has(backupId) || isFault(error)) return;
      throw error instanceof Violation ? error : new Violation(`committed backup ${backupId} does not restore: ${(error as Error).message}`);
    }
  }

  /** What a service does when it starts: makes the index agree with the store, and removes what failed backups left. */
  async start(host: Host): Promise<void> {
    await this.#insistently(host, () => this.index.reconcile(host.store));
    await this.#insistently(host, () => adoptGeneration(host.store, this.index));
    this.isReconciled = true;
  }

  async removeRoot(host: Host, backupId: string): Promise<void> {
    await this.#insistently(host, () => host.store.delete(rootObjectKey(tenant, backupId)));
  }

  copyDatabase(): Uint8Array {
    return this.#database.serialize();
  }

  rollBack(copy: Uint8Array): void {
    this.index.close();
    this.#database = new DatabaseSync(":memory:");
    this.#database.deserialize(copy);
    this.index = this.#open();
    this.isRolledBack = true;
    this.isReconciled = false;
  }

  // What must hold

  /** After every step: each committed backup can be read bit for bit, and nothing that it needs is on its way out. */
  async check(): Promise<void> {
    if (!this.isReconciled) return;
    const changes = Number(this.#database.prepare("SELECT total_changes() AS n").get()?.["n"]);
    const version = [this.store.version, changes, this.committed.size, this.isRolledBack].join("/");
    if (version === this.#checkedVersion) return;
    this.#checkedVersion = version;
    const needed = new Map<string, { id: Uint8Array; backupId: string }>();
    for (const [backupId, disk] of this.committed) {
      if ((await this.store.objects.stat(rootObjectKey(tenant, backupId))) === undefined)
        throw new Violation(`committed backup ${backupId} has no root object`);
      for (const id of idsOf(disk)) if (!needed.has(hexOf(id))) needed.set(hexOf(id), { id, backupId });
    }
    const all = [...needed.values()];
    const states = new Map(
      this.#database
        .prepare("SELECT no, state FROM packs")
        .all()
        .map((row) => [Number(row["no"]), Number(row["state"])]),
    );
    const places = this.index.locate(
      tenant,
      all.map(({ id }) => id),
    );
    for (const [at, { id, backupId }] of all.entries()) {
      const place = places[at];
      if (place === undefined) throw new Violation(`${hexOf(id)} of committed backup ${backupId} is in no pack`);
      const { packId, slot, offset, length, plainLength } = place.location;
      if (!this.isRolledBack && states.get(place.packNo) !== packStates.live)
        throw new Violation(`pack ${hexOf(packId)}, which committed backup ${backupId} needs, is condemned`);
      const key = packObjectKey(tenant, packId);
      const name = `${key} ${slot} ${hexOf(id)}`;
      if (this.#verified.has(name)) {
        if ((await this.store.objects.stat(key)) === undefined) throw new Violation(`pack ${key}, which committed backup ${backupId} needs, is gone`);
        continue;
      }
      try {
        const record = await this.store.objects.get(key, { offset, length });
        openRecord(keys, packId, record, { slot, id, plainLength });
      } catch (error) {
        throw new Violation(`${hexOf(id)} of committed backup ${backupId} cannot be read: ${(error as Error).message}`);
      }
      this.#verified.add(name);
    }
  }

  /** After everything has come to rest and time has passed: nothing is kept that no backup needs. */
  async checkNoGarbage(): Promise<void> {
    const needed = new Set([...this.committed.values()].flatMap((disk) => [...idsOf(disk)].map(hexOf)));
    for await (const { key } of this.store.objects.list(binPrefix(tenant))) throw new Violation(`${key} is still there`);
    for await (const { key } of this.store.objects.list(rootPrefix(tenant)))
      if (!this.committed.has(key.slice(rootPrefix(tenant).length))) throw new Violation(`${key} is still there`);
    let live = 0;
    let all = 0;
    for await (const { key } of this.store.objects.list(packPrefix(tenant))) {
      const pack = [...this.index.ledger.packsOf(tenant)].find(({ packId }) => hexOf(packId) === hexOf(parsePackKey(key)!.packId));
      if (pack === undefined) throw new Violation(`${key} is in the store and not in the index`);
      const own = this.index.damage.placesIn(pack.packId);
      const liveBytes = own.filter(({ id }) => needed.has(hexOf(id))).reduce((sum, { length }) => sum + length, 0);
      if (liveBytes === 0) throw new Violation(`${key} is needed by no backup (state ${pack.state}, touched in ${pack.touchEpoch})`);
      live += liveBytes;
      all += own.reduce((sum, { length }) => sum + length, 0);
    }
    if (live * 2 < all) throw new Violation(`${live} of ${all} bytes in the store are needed`);
    assert.equal(this.index.ledger.openSessionCount(), 0, "a session is still open");
  }

  #checkDelete(key: string): void {
    const pack = parsePackKey(key);
    if (pack === undefined) return;
    const row = [...this.index.ledger.packsOf(tenant)].find(({ packId }) => hexOf(packId) === hexOf(pack.packId));
    if (row !== undefined && row.state !== packStates.deleting) throw new Violation(`${key} was deleted, and nobody had planned that`);
  }

  #open(): ChunkIndex {
    const index = ChunkIndex.over(this.#database, "the simulated index", repositoryId);
    this.#mutate?.(index.ledger);
    return index;
  }

  async #insistently<T>(host: Host, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isFault(error)) throw error;
        await this.time.sleep(60e6, host.process);
      }
    }
  }
}

export const isFault = (error: unknown): boolean =>
  (error instanceof StorageError && error.code === "unavailable") ||
  (error instanceof RepositoryError && (error.code === "storeUnavailable" || isFault(error.cause)));

const idLists = new WeakMap<Disk, Uint8Array[]>();

/** Every chunk and page that a backup of this disk needs. */
function idsOf(disk: Disk): Uint8Array[] {
  let ids = idLists.get(disk);
  if (ids !== undefined) return ids;
  ids = [];
  for (let page = 0; page < pageCount; page++) {
    const flat = new Uint8Array(flatPageBytes);
    for (const [chunk, content] of disk) {
      if (Math.floor(chunk / pageChunks) !== page) continue;
      flat.set(contentOf(content).id, (chunk % pageChunks) * 32);
      ids.push(contentOf(content).id);
    }
    if (!isHolePage(flat)) ids.push(pageIdOf(keys, encodePage(flat)));
  }
  idLists.set(disk, ids);
  return ids;
}

/** What a root says, page by page, against the disk that was backed up. */
export async function assertManifest(world: World, backupId: string): Promise<void> {
  const root = openRoot(keys, await world.store.objects.get(rootObjectKey(tenant, backupId)), { tenant, backupId });
  assert.equal(root.sizeBytes, diskBytes);
  const disk = world.committed.get(backupId)!;
  for (let page = 0; page < pageCount; page++) {
    const pageId = root.pageIds.subarray(page * 32, page * 32 + 32);
    const flat = new Uint8Array(flatPageBytes);
    for (const [chunk, content] of disk) if (Math.floor(chunk / pageChunks) === page) flat.set(contentOf(content).id, (chunk % pageChunks) * 32);
    if (isHolePage(flat)) assert.ok(pageId.every((byte) => byte === 0));
    else assert.deepEqual(decodePage(encodePage(flat)), flat);
  }
}

export { fairWeather };
