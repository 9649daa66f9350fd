import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import { PackVerifier } from "./check-lanes.ts";
import { messageOf, verifyPack } from "./check-pack.ts";
import type { PackVerdict } from "./check-pack.ts";
import { matchIndex, TrailerCache } from "./check-index.ts";
import { walkBackups } from "./check-roots.ts";
import type { DamageTable, PlacedRecord } from "./damage.ts";
import { DamageReporter } from "./damage-report.ts";
import { throwIfCancelled } from "./engine-errors.ts";
import { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupDamage, CheckOutcome, CheckRequest, TaskControl } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import { readPackContents } from "./index-reconcile.ts";
import type { TenantKeys } from "./keys.ts";
import type { LanePool } from "./lane-pool.ts";
import { hexOf, packObjectKey, parsePackKey, rootPrefix, tenantPrefix } from "./layout.ts";
import { useSecondCopies } from "./second-copies.ts";

/** Findings, and packs that were read, that an outcome lists; more are only counted. */
const maxFindings = 1000;

interface CheckContext {
  store: ObjectStore;
  index: ChunkIndex;
  /** Where whole packs are verified; absent = in this thread. */
  lanes?: LanePool;
}

interface Listing {
  packs: Map<string, { packId: Uint8Array; size: number }>;
  backupIds: string[];
}

/**
 * One check of one tenant: index against trailers, packs against the store, as many packs as asked for byte by byte, then every root and page down
 * to the place of each chunk. Index errors are corrected from the trailers; what is damaged loses its place, so that it is stored again.
 */
export class CheckRun {
  readonly #context: CheckContext;
  readonly #request: CheckRequest;
  readonly #keys: TenantKeys;
  readonly #control: TaskControl;
  readonly #damage: DamageTable;
  readonly #trailers: TrailerCache;
  readonly #unindexed: { key: string; packId: Uint8Array; size: number }[] = [];
  readonly #outcome = emptyOutcome();
  #verifier: PackVerifier | undefined;

  constructor(context: CheckContext, request: CheckRequest, keys: TenantKeys, control: TaskControl) {
    this.#context = context;
    this.#request = request;
    this.#keys = keys;
    this.#control = control;
    this.#damage = context.index.damage;
    this.#trailers = new TrailerCache(context.store, request.tenant);
  }

  /** @throws RepositoryError for what keeps the check from being made; what it finds is in the outcome */
  async run(): Promise<CheckOutcome> {
    const { lanes } = this.#context;
    this.#verifier = lanes && new PackVerifier(lanes, this.#keys);
    try {
      return await this.#run();
    } finally {
      this.#verifier?.close();
    }
  }

  async #run(): Promise<CheckOutcome> {
    const started = performance.now();
    const { tenant } = this.#request;
    for (const problem of await this.#damage.fileProblems()) this.#find("index", problem, false);
    const listing = await this.#list();
    await this.#checkPacks(listing);
    await this.#readData();
    this.#outcome.healedRecords += await useSecondCopies(this.#context.index, this.#context.store, this.#request.tenant);
    await this.#checkBackups(listing);
    this.#damage.dropIdleChecks();
    const waiting = this.#damage.packsToVerify(tenant)[0];
    this.#outcome.oldestVerifiedAtUs = waiting?.verifiedAtUs ?? null;
    this.#outcome.damagedRecords = this.#damage.countOf(tenant);
    this.#outcome.durationMs = Math.round(performance.now() - started);
    return this.#outcome;
  }

  async #list(): Promise<Listing> {
    const { tenant } = this.#request;
    const listing: Listing = { packs: new Map(), backupIds: [] };
    const roots = rootPrefix(tenant);
    for await (const { key, size } of this.#context.store.list(tenantPrefix(tenant))) {
      const pack = parsePackKey(key);
      if (pack !== undefined) listing.packs.set(key, { packId: pack.packId, size });
      else if (key.startsWith(roots)) listing.backupIds.push(key.slice(roots.length));
    }
    return listing;
  }

  /** Every pack is there, as long as it should be, with a trailer that verifies and that the index agrees with. */
  async #checkPacks({ packs }: Listing): Promise<void> {
    const { index } = this.#context;
    const { tenant, nowUs } = this.#request;
    const known = [...index.packsOf(tenant)];
    const names = new Set(known.map(({ packId }) => packObjectKey(tenant, packId)));
    for (const [key, { packId, size }] of packs) if (!names.has(key)) this.#unindexed.push({ key, packId, size });
    const missing: Uint8Array[] = [];
    for (const [at, { packId }] of known.entries()) {
      this.#step("packs", at, known.length);
      const key = packObjectKey(tenant, packId);
      const listed = packs.get(key) ?? (await this.#context.store.stat(key));
      if (listed === undefined) {
        // It may have been collected meanwhile.
        if (index.hasPack(packId)) missing.push(packId);
        continue;
      }
      this.#outcome.packs++;
      await this.#checkTrailer(key, packId, listed.size);
    }
    const lost = this.#damage.markPacks(tenant, missing, "its pack is not in the store", nowUs);
    for (const packId of missing) this.#find(packObjectKey(tenant, packId), `the pack is missing; ${lost} records were in missing packs`, false);
  }

  async #checkTrailer(key: string, packId: Uint8Array, size: number): Promise<void> {
    const { tenant } = this.#request;
    try {
      const contents = await this.#trailers.read(packId, size);
      for (const reason of await matchIndex({ ...this.#context, trailers: this.#trailers }, tenant, packId, size, contents))
        this.#find("index", `pack ${hexOf(packId)}: ${reason}`, true);
    } catch (error) {
      if (isGone(error)) return;
      this.#find(key, messageOf(error), false);
      await this.#readPack(packId, size);
    }
  }

  async #readData(): Promise<void> {
    const { readData, tenant } = this.#request;
    if (readData === undefined) return;
    const packs = this.#damage.packsToVerify(tenant);
    const all = packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const budget = "bytes" in readData ? readData.bytes : Math.ceil((all * readData.percent) / 100);
    const total = Math.min(all, budget);
    let done = 0;
    for (const { packId, sizeBytes } of packs) {
      if (done >= budget) break;
      this.#step("reading", done, total);
      await this.#readPack(packId, sizeBytes);
      done += sizeBytes;
    }
  }

  /** Reads every byte of a pack, and notes of each of its records whether it is sound. */
  async #readPack(packId: Uint8Array, sizeBytes: number): Promise<void> {
    const { tenant, nowUs } = this.#request;
    const key = packObjectKey(tenant, packId);
    await this.#control.pace?.(sizeBytes);
    const pack = await this.#packAt(key);
    if (pack === undefined) return;
    const { length } = pack;
    const wasDamaged = this.#damage.inPack(packId);
    let verdict = await this.#verify(packId, pack, wasDamaged);
    if (verdict.contents === undefined || verdict.problem !== undefined) {
      // The bytes may have been handed over.
      const again = pack.length === length ? pack : await this.#packAt(key);
      if (again === undefined) return;
      verdict = await this.#verify(packId, again, [...wasDamaged, ...this.#damage.placesIn(packId)]);
    }
    const { sound, damaged, problem } = verdict;
    if (problem !== undefined) this.#find(key, problem, false);
    for (const { reason } of damaged) this.#find(key, reason, false);
    this.#damage.mark(tenant, packId, damaged, nowUs);
    const before = new Set(wasDamaged.map(({ id }) => hexOf(id)));
    const back = sound.filter(({ id }) => before.has(hexOf(id)));
    this.#outcome.healedRecords += this.#damage.reinstate(
      tenant,
      packId,
      back.map(({ id }) => id),
    );
    this.#damage.setVerified(packId, nowUs);
    this.#outcome.packsRead++;
    this.#outcome.bytesRead += length;
    this.#outcome.recordsVerified += sound.length + damaged.length;
    if (this.#outcome.packResults.length < maxFindings)
      this.#outcome.packResults.push({ packId: hexOf(packId), sizeBytes, damagedRecords: damaged.length });
    await breath();
  }

  /** Undefined when it was collected meanwhile. */
  async #packAt(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#context.store.get(key);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async #verify(packId: Uint8Array, pack: Uint8Array, placed: readonly PlacedRecord[]): Promise<PackVerdict> {
    return (await this.#verifier?.verify(packId, pack, placed)) ?? verifyPack(this.#keys, packId, pack, placed);
  }

  /** Every root opens, every page can be read, every chunk has a place. */
  async #checkBackups({ backupIds }: Listing): Promise<void> {
    const { store, index } = this.#context;
    const { tenant, nowUs } = this.#request;
    // Of its own: what others have read and kept is no proof.
    const reader = new RepositoryReader(store, index);
    const parts = { store, index, reader };
    let walk = await walkBackups(parts, tenant, this.#keys, backupIds, (phase, done, total) => this.#step(phase, done, total));
    if (walk.lost.length > 0 && (await this.#indexAgain()))
      walk = await walkBackups(parts, tenant, this.#keys, backupIds, (phase, done, total) => this.#step(phase, done, total));
    this.#outcome.backups = walk.backups;
    this.#outcome.pages = walk.pages;
    for (const { object, reason } of walk.findings) this.#find(object, reason, false);
    if (walk.isComplete) this.#damage.prune(tenant, (id) => walk.damagedReferred.has(id));
    for (const kind of ["page", "data"] as const) {
      const ids = walk.lost.filter((each) => each.kind === kind).map(({ id }) => id);
      const marked = this.#damage.markLost(tenant, kind, ids, "it is in no pack", nowUs);
      if (marked > 0) this.#find("index", `${marked} ${kind === "page" ? "pages" : "chunks"} that backups refer to are in no pack`, false);
    }
    const reporter = new DamageReporter({ index, reader }, tenant, this.#keys);
    const damaged: BackupDamage[] = [];
    for (const backupId of backupIds) {
      const told = await reporter.damageOf(backupId);
      if (told !== undefined && (await store.stat(`${rootPrefix(tenant)}${backupId}`)) !== undefined) damaged.push(told);
    }
    this.#outcome.damagedBackups = damaged;
  }

  /** Packs that the index does not know, looked at only when something is missed: one that is being written now is not in it yet, either. */
  async #indexAgain(): Promise<boolean> {
    const { index, store } = this.#context;
    const { tenant } = this.#request;
    let added = false;
    for (const { key, packId, size } of this.#unindexed) {
      if (index.hasPack(packId)) continue;
      try {
        const { kind, entries } = await readPackContents(store, key, size);
        index.addPack(tenant, { packId, kind, sizeBytes: size, entries });
        this.#find("index", `pack ${hexOf(packId)} was not in it`, true);
        added = true;
      } catch (error) {
        if (isGone(error)) continue;
        this.#find(key, messageOf(error), false);
      }
    }
    return added;
  }

  #find(object: string, reason: string, repaired: boolean): void {
    this.#outcome.findingCount++;
    if (this.#outcome.findings.length < maxFindings) this.#outcome.findings.push({ object, reason, repaired });
  }

  #step(phase: string, bytesDone: number, bytesTotal: number): void {
    throwIfCancelled(this.#control.signal);
    this.#control.onProgress?.({ phase, bytesDone, bytesTotal });
  }
}

const isGone = (error: unknown): boolean => error instanceof StorageError && error.code === "notFound";

/** Lets the engine's other runs go on. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Of a tenant that has nothing. */
export const emptyOutcome = (): CheckOutcome => ({
  backups: 0,
  pages: 0,
  packs: 0,
  packsRead: 0,
  bytesRead: 0,
  recordsVerified: 0,
  findings: [],
  findingCount: 0,
  packResults: [],
  damagedRecords: 0,
  healedRecords: 0,
  damagedBackups: [],
  oldestVerifiedAtUs: null,
  durationMs: 0,
});

/** Of a tenant that has lost its key object: nothing of it can be read. */
export function keylessOutcome(backupIds: readonly string[], reason: string): CheckOutcome {
  const damagedBackups = backupIds.map((backupId) => ({ backupId, sizeBytes: null, lostBytes: null, ranges: [], reason }));
  return { ...emptyOutcome(), findings: [{ object: "key", reason, repaired: false }], findingCount: 1, damagedBackups };
}

/** @throws RepositoryError `invalidRequest` */
export function checkRequestIsSound({ readData, nowUs }: CheckRequest): void {
  if (!Number.isSafeInteger(nowUs)) throw new RepositoryError("invalidRequest", `nowUs ${nowUs} is not a time`);
  if (readData === undefined) return;
  const isSound = "bytes" in readData ? Number.isSafeInteger(readData.bytes) && readData.bytes > 0 : readData.percent > 0 && readData.percent <= 100;
  if (!isSound) throw new RepositoryError("invalidRequest", `readData ${JSON.stringify(readData)} is neither a percentage nor a number of bytes`);
}
