import { availableParallelism } from "node:os";
import type { Random } from "#platform/random.ts";
import { TokenBucket } from "#platform/token-bucket.ts";
import { CountingStore } from "#storage/counting.ts";
import type { StoreCount } from "#storage/counting.ts";
import { LocalStore } from "#storage/local.ts";
import { retrying } from "#storage/retrying.ts";
import type { LocalFiles, ObjectStore } from "#storage/store.ts";
import { systemClock } from "#platform/clock.ts";
import type { Clock } from "#platform/clock.ts";
import { BackupRun } from "./backup-pipeline.ts";
import { Claims } from "./backup-pipeline-claims.ts";
import { CheckRun, checkRequestIsSound, emptyOutcome, keylessOutcome } from "./check.ts";
import { DamageReporter } from "./damage-report.ts";
import { asEngineError, throwIfCancelled } from "./engine-errors.ts";
import { Gate, Turns } from "./engine-gate.ts";
import { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type {
  BackupDamage,
  BackupOutcome,
  BackupRequest,
  CheckOutcome,
  CheckRequest,
  Engine,
  EngineOptions,
  ReplicateOutcome,
  ReplicateRequest,
  RestoreOutcome,
  RestoreRequest,
  RootDescription,
  TenantOrigin,
  TaskControl,
} from "./engine-types.ts";
import { listBin, moveToBin } from "./collect-bin.ts";
import type { BinEntry } from "./collect-bin.ts";
import { adoptGeneration } from "./collect-generation.ts";
import { deletedRoot, undelete } from "./collect-undelete.ts";
import { collectTenant } from "./collect.ts";
import type { CollectReport, CollectRequest } from "./collect.ts";
import { ChunkIndex } from "./index.ts";
import type { Reconciled } from "./index-reconcile.ts";
import type { TenantKeys } from "./keys.ts";
import { BackupOffer } from "./offer.ts";
import { PeerBackup } from "./origin-peer.ts";
import { openStoreBackup } from "./origin-store.ts";
import { TenantBackup } from "./origin-tenant.ts";
import { ReplicaFeed } from "./replica-feed.ts";
import type { Origin } from "./replica-feed.ts";
import { sameIds } from "./replica-refs.ts";
import { PACK_TARGET_BYTES } from "./lane-messages.ts";
import { LanePool } from "./lane-pool.ts";
import { DEFAULT_MEMORY_BYTES, MemoryBudget, packMemory, planMemory } from "./memory-budget.ts";
import { rootPrefix } from "./layout.ts";
import { listTenants, readState, writeState } from "./rebuild-state.ts";
import { isKeyDestroyed, loadOrCreateTenantKeys, loadTenantKeys, openOrCreateRepository } from "./repository-record.ts";
import { RestoreRun } from "./restore-pipeline.ts";
import type { Root } from "./root.ts";
import { withSecondCopies } from "./second-copies.ts";

/** Packs being written at once. Each holds one of the four threads that do file work and cryptography for the whole process. */
const WRITES_AT_ONCE = 2;
/** Packs in memory while one is checked, or rewritten into another. */
const PACKS_AT_ONCE = 2;
const READ_RANGE_BYTES = 8 * 1024 * 1024;

/** The engine itself, as it lives in its own thread. */
export class EngineCore implements Engine {
  readonly repositoryId: string;
  readonly store: Engine["store"];
  readonly reconciled: Reconciled;
  readonly #store: CountingStore;
  readonly #index: ChunkIndex;
  readonly #lanes: LanePool;
  /** What backups and restores may hold, and do. */
  readonly memory: MemoryBudget;
  readonly #claims = new Claims();
  readonly #writes = new Turns(WRITES_AT_ONCE);
  readonly #reader: RepositoryReader;
  readonly #masterKey: Uint8Array;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #keys = new Map<string, TenantKeys>();
  readonly #gate = new Gate();
  readonly #stopping = new AbortController();
  readonly #bandwidth: TokenBucket | undefined;
  readonly #taskBytesPerSecond: number;
  #running = 0;

  private constructor(
    parts: { store: CountingStore; index: ChunkIndex; masterKey: Uint8Array; random: Random; clock: Clock; memory: MemoryBudget },
    repositoryId: string,
    reconciled: Reconciled,
    { allBytes = 0, taskBytes = 0 }: NonNullable<EngineOptions["bandwidth"]>,
  ) {
    this.#bandwidth = bucketOf(parts.clock, allBytes);
    this.#taskBytesPerSecond = taskBytes;
    this.repositoryId = repositoryId;
    this.reconciled = reconciled;
    this.store = { kind: parts.store.kind, location: parts.store.location };
    this.#store = parts.store;
    this.#index = parts.index;
    this.#masterKey = parts.masterKey;
    this.#random = parts.random;
    this.#clock = parts.clock;
    this.#reader = new RepositoryReader(parts.store, parts.index);
    this.memory = parts.memory;
    this.#lanes = new LanePool(parts.memory.plan.laneCount);
  }

  /** Opens or creates the repository, and makes its index agree with the store. */
  static async open(options: EngineOptions, random: Random): Promise<EngineCore> {
    try {
      const store = retrying(await LocalStore.open(options.storePath), { clock: systemClock, random });
      return await EngineCore.over(store, options, random);
    } catch (error) {
      throw asEngineError(error);
    }
  }

  /** As {@link EngineCore.open}, over a given store. */
  static async over(
    uncounted: ObjectStore & Partial<LocalFiles>,
    { indexPath, masterKey, laneCount, memoryBytes, bandwidth = {} }: Omit<EngineOptions, "storePath">,
    random: Random,
    clock: Clock = systemClock,
  ): Promise<EngineCore> {
    const store = new CountingStore(uncounted);
    const plan = planMemory(memoryBytes ?? DEFAULT_MEMORY_BYTES, laneCount ?? availableParallelism());
    const { repositoryId } = await openOrCreateRepository(store, masterKey, random);
    const index = ChunkIndex.open(indexPath, repositoryId);
    try {
      const reconciled = await index.reconcile(store);
      await adoptGeneration(store, index);
      index.ledger.noteTime(clock);
      const parts = { store, index, masterKey, random, clock, memory: new MemoryBudget(plan) };
      return new EngineCore(parts, repositoryId, reconciled, bandwidth);
    } catch (error) {
      index.close();
      throw error;
    }
  }

  backup(request: BackupRequest, control: TaskControl): Promise<BackupOutcome> {
    return this.#inTurn(control, async (inTurn) => {
      checkBackup(request);
      const keys = await this.#keysOf(request.tenant, true);
      return await new BackupRun(this.#context, request, keys, inTurn).run();
    });
  }

  replicate(request: ReplicateRequest, control: TaskControl): Promise<ReplicateOutcome> {
    return this.#inTurn(control, async (inTurn) => {
      const { tenant, backupId, from, document, compressionLevel } = request;
      const keys = await this.#keysOf(tenant, true);
      const origin = await this.#openOrigin(from, tenant, inTurn);
      try {
        const offer = await origin.describe();
        const source = from.kind === "peer" ? from.source : from.kind === "store" ? `store:${from.tenant}` : from.tenant;
        const known = from.kind === "tenant" && source === tenant ? sameIds : this.#index.replicaRefs.of(tenant, keys, source);
        const feed = new ReplicaFeed(origin, offer, known);
        const run = { tenant, backupId, feed, document, chunkBytes: offer.chunkBytes, compressionLevel };
        const outcome = await new BackupRun(this.#context, run, keys, inTurn).run();
        return { ...outcome, receivedBytes: feed.receivedBytes, digest: offer.digest };
      } finally {
        origin.close();
      }
    });
  }

  readOffer({ tenant, backupId, audience, part }: Parameters<Engine["readOffer"]>[0]): Promise<Uint8Array> {
    return engineErrors(async () => (await this.#offerOf(tenant, backupId, audience)).part(part));
  }

  async #openOrigin(from: ReplicateRequest["from"], tenant: string, control: TaskControl): Promise<Origin> {
    if (from.kind === "peer") return new PeerBackup(from, this.#clock, control.signal);
    return from.kind === "store" ? openStoreBackup(from, tenant, control) : this.#originOf(from, tenant);
  }

  async #originOf(from: TenantOrigin, tenant: string): Promise<Origin> {
    return new TenantBackup(await this.#offerOf(from.tenant, from.backupId, from.tenant === tenant ? undefined : tenant));
  }

  async #offerOf(tenant: string, backupId: string, audience: string | undefined): Promise<BackupOffer> {
    const keys = await this.#keysOf(tenant, false);
    const root = keys && (await this.#reader.root(tenant, keys, backupId));
    if (!keys || !root) throw new RepositoryError("missingRoot", `backup ${backupId} has no root object`);
    return new BackupOffer(this.#reader, tenant, keys, root, audience);
  }

  restore(request: RestoreRequest, control: TaskControl): Promise<RestoreOutcome> {
    return this.#inTurn(control, async (inTurn) => {
      check(Number.isSafeInteger(request.sizeBytes) && request.sizeBytes >= 0, `sizeBytes ${request.sizeBytes} is not a size in bytes`);
      check(request.target.kind === "file", `target.kind ${request.target.kind} is not a kind of target`);
      const keys = await this.#keysOf(request.tenant, false);
      if (keys === undefined)
        throw new RepositoryError("missingRoot", `backup ${request.backupId} has no root object: tenant ${request.tenant} has nothing`);
      return await withSecondCopies(this.#context, request.tenant, () => new RestoreRun(this.#context, request, keys, inTurn).run());
    });
  }

  check(request: CheckRequest, control: TaskControl): Promise<CheckOutcome> {
    return this.#inTurn(control, async (inTurn) => {
      checkRequestIsSound(request);
      const { tenant } = request;
      const keys = await this.#keysOf(tenant, false);
      if (keys !== undefined) return await this.#holdingPacks(inTurn.signal, () => new CheckRun(this.#context, request, keys, inTurn).run());
      const roots = await this.listRoots(tenant);
      return roots.length === 0 ? emptyOutcome() : keylessOutcome(roots, "the tenant's key object is missing: nothing of it can be read");
    });
  }

  async storeCounts(): Promise<StoreCount[]> {
    return this.#store.counts();
  }

  storedBytes(tenant: string): Promise<number> {
    return engineErrors(async () => [...this.#index.packsOf(tenant)].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  }

  damage(tenant: string, backupId?: string): Promise<BackupDamage[]> {
    return engineErrors(async () => {
      const keys = await this.#keysOf(tenant, false);
      const wanted = backupId === undefined ? await this.listRoots(tenant) : [backupId];
      if (keys === undefined) return keylessOutcome(wanted, "the tenant's key object is missing: nothing of it can be read").damagedBackups;
      const reporter = new DamageReporter(this.#context, tenant, keys);
      const found: BackupDamage[] = [];
      for (const id of wanted) found.push(...[await reporter.damageOf(id)].filter((damage) => damage !== undefined));
      return found;
    });
  }

  async readRange({ tenant, backupId, offset, length }: { tenant: string; backupId: string; offset: number; length: number }): Promise<Uint8Array> {
    return await engineErrors(async () => {
      check(Number.isSafeInteger(offset) && offset >= 0, `offset ${offset} is not an offset in bytes`);
      check(Number.isSafeInteger(length) && length >= 0 && length <= READ_RANGE_BYTES, `length ${length} is not between 0 and ${READ_RANGE_BYTES}`);
      const keys = await this.#keysOf(tenant, false);
      const root = keys && (await this.#reader.root(tenant, keys, backupId));
      if (!keys || !root) throw new RepositoryError("missingRoot", `backup ${backupId} has no root object`);
      check(offset + length <= root.sizeBytes, `offset ${offset} and length ${length} leave the ${root.sizeBytes} bytes of backup ${backupId}`);
      return await this.#reader.range(tenant, keys, root, offset, length);
    });
  }

  deleteRoot(tenant: string, backupId: string): Promise<void> {
    return engineErrors(async () => {
      await moveToBin(this.#store, this.#index.ledger, tenant, backupId, this.#clock);
      await this.#reader.deleteRoot(tenant, backupId);
    });
  }

  discardRoot(tenant: string, backupId: string): Promise<void> {
    return engineErrors(() => this.#reader.deleteRoot(tenant, backupId));
  }

  listDeleted(tenant: string): Promise<BinEntry[]> {
    return engineErrors(async () => {
      // In the clock's own time, where it is behind what was noted before.
      const aheadUs = this.#index.ledger.noteTime(this.#clock) - this.#clock.nowUs();
      return (await listBin(this.#store, tenant)).map((entry) => ({ ...entry, deletedAtUs: entry.deletedAtUs - Math.max(0, aheadUs) }));
    });
  }

  readDeletedRoot(tenant: string, backupId: string): Promise<RootDescription | undefined> {
    return engineErrors(async () => {
      const keys = await this.#keysOf(tenant, false);
      const root = keys && (await deletedRoot(this.#store, tenant, keys, backupId));
      return root && describeRoot(root);
    });
  }

  undelete(tenant: string, backupId: string): Promise<boolean> {
    return engineErrors(async () => {
      const keys = await this.#keysOf(tenant, false);
      return keys !== undefined && (await undelete({ ...this.#context, tenant, keys }, backupId));
    });
  }

  collect(request: CollectRequest, control: TaskControl): Promise<CollectReport> {
    return this.#inTurn(control, async (inTurn) => {
      const { graceUs, maxCondemnRatio, compactBelowRatio, orphanUs } = request;
      check(Number.isSafeInteger(graceUs) && graceUs >= 0, `graceUs ${graceUs} is not a time in microseconds`);
      check(Number.isSafeInteger(orphanUs) && orphanUs >= 0, `orphanUs ${orphanUs} is not a time in microseconds`);
      for (const [name, ratio] of Object.entries({ maxCondemnRatio, compactBelowRatio }))
        check(ratio >= 0 && ratio <= 1, `${name} ${ratio} is not between 0 and 1`);
      const parts = { ...this.#context, keysOf: (tenant: string) => this.#keysOf(tenant, false) };
      return await this.#holdingPacks(inTurn.signal, () => collectTenant(parts, request, inTurn));
    });
  }

  readRoot(tenant: string, backupId: string): Promise<RootDescription | undefined> {
    return engineErrors(async () => {
      const keys = await this.#keysOf(tenant, false);
      const root = keys && (await this.#reader.root(tenant, keys, backupId));
      return root && describeRoot(root);
    });
  }

  listRoots(tenant: string): Promise<string[]> {
    return engineErrors(async () => {
      const prefix = rootPrefix(tenant);
      const ids: string[] = [];
      for await (const { key } of this.#store.list(prefix)) ids.push(key.slice(prefix.length));
      return ids.sort();
    });
  }

  isShredded(tenant: string): Promise<boolean> {
    return engineErrors(() => isKeyDestroyed(this.#store, tenant));
  }

  listTenants(): Promise<string[]> {
    return engineErrors(() => listTenants(this.#store));
  }

  writeState(tenant: string, nowUs: number, document: unknown): Promise<number> {
    return engineErrors(async () => writeState(this.#store, await this.#keysOf(tenant, true), tenant, { nowUs, document }, this.#random));
  }

  readState(tenant: string): ReturnType<Engine["readState"]> {
    return engineErrors(async () => {
      const keys = await this.#keysOf(tenant, false);
      return keys && (await readState(this.#store, keys, tenant));
    });
  }

  /** Cancels what is running, waits for it, and lets go of everything. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#gate.notify();
    await this.#gate.until(() => this.#running === 0);
    await this.#lanes.close();
    try {
      this.#index.ledger.noteTime(this.#clock);
    } catch {
      // A disk that is full or read-only: the time of the last write stands, which only lengthens the grace of what was deleted.
    }
    this.#index.close();
    await this.#store.close();
  }

  /** For work in the engine's own thread that holds whole packs: counted like a run's. */
  async #holdingPacks<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const gate = new Gate();
    const wake = (): void => gate.notify();
    const share = this.memory.open(() => queueMicrotask(wake));
    signal?.addEventListener("abort", wake, { once: true });
    try {
      await gate.until(() => signal?.aborted === true || share.take(PACKS_AT_ONCE * packMemory(PACK_TARGET_BYTES, 0)));
      throwIfCancelled(signal);
      return await work();
    } finally {
      signal?.removeEventListener("abort", wake);
      share.close();
    }
  }

  async #inTurn<T>(control: TaskControl, work: (control: TaskControl) => Promise<T>): Promise<T> {
    const signal = control.signal === undefined ? this.#stopping.signal : AbortSignal.any([control.signal, this.#stopping.signal]);
    const wake = (): void => this.#gate.notify();
    signal.addEventListener("abort", wake, { once: true });
    try {
      await this.#gate.until(() => signal.aborted || this.#running < this.memory.plan.runsAtOnce);
      throwIfCancelled(signal);
      this.#running++;
      try {
        return await work({ ...control, signal, pace: this.#pacer(signal) });
      } finally {
        this.#running--;
      }
    } catch (error) {
      throw asEngineError(error);
    } finally {
      signal.removeEventListener("abort", wake);
      this.#gate.notify();
    }
  }

  /** Lets one run through at its own rate and at that of all. */
  #pacer(signal: AbortSignal): (bytes: number) => Promise<void> {
    const own = bucketOf(this.#clock, this.#taskBytesPerSecond);
    return async (bytes) => {
      try {
        await Promise.all([own?.take(bytes, signal), this.#bandwidth?.take(bytes, signal)]);
      } catch (error) {
        throwIfCancelled(signal);
        throw error;
      }
    };
  }

  #keysOf(tenant: string, create: true): Promise<TenantKeys>;
  #keysOf(tenant: string, create: false): Promise<TenantKeys | undefined>;
  async #keysOf(tenant: string, create: boolean): Promise<TenantKeys | undefined> {
    const known = this.#keys.get(tenant);
    if (known !== undefined) return known;
    const keys = create
      ? await loadOrCreateTenantKeys(this.#store, this.#masterKey, tenant, this.#random)
      : await loadTenantKeys(this.#store, this.#masterKey, tenant);
    if (keys !== undefined) this.#keys.set(tenant, keys);
    return keys;
  }

  get #context() {
    return {
      store: this.#store,
      index: this.#index,
      lanes: this.#lanes,
      memory: this.memory,
      claims: this.#claims,
      writes: this.#writes,
      reader: this.#reader,
      random: this.#random,
      clock: this.#clock,
    };
  }
}

function describeRoot(root: Root): RootDescription {
  const { pageIds: _, ...description } = root;
  return description;
}

const bucketOf = (clock: Clock, bytesPerSecond: number): TokenBucket | undefined =>
  bytesPerSecond > 0 ? new TokenBucket(clock, bytesPerSecond) : undefined;

async function engineErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asEngineError(error);
  }
}

function checkBackup({ source, chunkBytes, compressionLevel, changedExtents }: BackupRequest): void {
  const isPowerOfTwo = Number.isInteger(Math.log2(chunkBytes));
  check(isPowerOfTwo && chunkBytes >= 65536 && chunkBytes <= 4194304, `chunkBytes ${chunkBytes} is not a power of two from 64 KiB to 4 MiB`);
  check(Number.isInteger(compressionLevel) && compressionLevel >= 0 && compressionLevel <= 22, `compressionLevel ${compressionLevel} is not 0 to 22`);
  check(source.kind === "file", `source.kind ${source.kind} is not a kind of source`);
  for (const [at, { offset, length }] of (changedExtents ?? []).entries())
    check(isSize(offset) && isSize(length), `changedExtents[${at}]: ${offset} and ${length} are not an offset and a length in bytes`);
}

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RepositoryError("invalidRequest", message);
}
