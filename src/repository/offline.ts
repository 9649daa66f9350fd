import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { LocalStore } from "#storage/local.ts";
import { asEngineError } from "./engine-errors.ts";
import { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { RestoreOutcome, RootDescription, TaskControl } from "./engine-types.ts";
import { readPackContents } from "./index-reconcile.ts";
import { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { LanePool } from "./lane-pool.ts";
import { DEFAULT_MEMORY_BYTES, MemoryBudget, planMemory } from "./memory-budget.ts";
import { parsePackKey, rootObjectKey, rootPrefix, tenantPrefix } from "./layout.ts";
import { listTenants } from "./rebuild-state.ts";
import { BackupOffer } from "./offer.ts";
import { TenantBackup } from "./origin-tenant.ts";
import type { Origin } from "./replica-feed.ts";
import { isKeyDestroyed, loadTenantKeys, openRepository } from "./repository-record.ts";
import { RestoreRun } from "./restore-pipeline.ts";
import { withSecondCopies } from "./second-copies.ts";
import { openRoot } from "./root.ts";

/** A backup of the store: what its root object says, or why that cannot be read. */
export type OfflineBackup = { tenant: string; backupId: string } & ({ root: RootDescription } | { unreadable: string; keyDestroyed: boolean });

/**
 * A local store that is only read: no service, no catalog, no lasting index. Nothing in it is changed, so it may be on read-only media.
 * Errors are {@link RepositoryError}s.
 */
export class OfflineRepository {
  readonly repositoryId: string;
  readonly #store: LocalStore;
  readonly #masterKey: Uint8Array;

  private constructor(store: LocalStore, masterKey: Uint8Array, repositoryId: string) {
    this.#store = store;
    this.#masterKey = masterKey;
    this.repositoryId = repositoryId;
  }

  /** Errors: `notARepository`, `newerFormat`, `wrongMasterKey`, `storeUnavailable`. */
  static async open(storePath: string, masterKey: Uint8Array): Promise<OfflineRepository> {
    try {
      const store = LocalStore.openToRead(storePath);
      const { repositoryId } = await openRepository(store, masterKey);
      return new OfflineRepository(store, masterKey, repositoryId);
    } catch (error) {
      throw asEngineError(error);
    }
  }

  /** Every backup of the store, or of one tenant. */
  async *list(tenant?: string): AsyncIterable<OfflineBackup> {
    for (const each of tenant === undefined ? await listTenants(this.#store) : [tenant]) {
      const keys = await this.#keysOf(each);
      const ids: string[] = [];
      for await (const { key } of this.#store.list(rootPrefix(each))) ids.push(key.slice(rootPrefix(each).length));
      for (const backupId of ids.sort()) yield await this.#describe(each, backupId, keys);
    }
  }

  /** Tenants that have a root object of this backup: one, as ids are unique. */
  async find(backupId: string): Promise<string | undefined> {
    for (const tenant of await listTenants(this.#store)) if ((await this.#store.stat(rootObjectKey(tenant, backupId))) !== undefined) return tenant;
    return undefined;
  }

  /**
   * Writes a backup into a new or existing file: holes stay holes, the rest is read once, in place. An index of the tenant's packs is made in the
   * folder of temporary files for as long as it takes.
   */
  async restore(
    request: { tenant: string; backupId: string; path: string; allowHoles?: boolean; laneCount?: number },
    control: TaskControl = {},
  ): Promise<RestoreOutcome> {
    const { tenant, backupId, path, allowHoles = false, laneCount } = request;
    const keys = await this.#keysOf(tenant);
    if (typeof keys === "string") throw new RepositoryError(keys === destroyed ? "keyDestroyed" : "wrongMasterKey", keys);
    const described = await this.#describe(tenant, backupId, keys);
    if ("unreadable" in described) throw new RepositoryError("corruptRoot", described.unreadable);
    const folder = await mkdtemp(join(tmpdir(), "opencbr-restore-"));
    try {
      const index = ChunkIndex.open(join(folder, "index.sqlite"), this.repositoryId);
      const memory = new MemoryBudget(planMemory(DEFAULT_MEMORY_BYTES, laneCount ?? availableParallelism()));
      const lanes = new LanePool(memory.plan.laneCount);
      try {
        await this.#indexPacks(index, tenant, control);
        const context = { store: this.#store, index, lanes, memory, reader: new RepositoryReader(this.#store, index) };
        const sizeBytes = described.root.sizeBytes;
        const target = { kind: "file", path } as const;
        return await withSecondCopies(context, tenant, () =>
          new RestoreRun(context, { tenant, backupId, target, sizeBytes, allowHoles }, keys, control).run(),
        );
      } finally {
        await lanes.close();
        index.close();
      }
    } catch (error) {
      throw asEngineError(error);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * A backup as the origin of a copy; equal pieces have equal references for one audience. An index of the tenant's packs lies in the folder of
   * temporary files until it is closed.
   */
  async offer(tenant: string, backupId: string, audience: string, control: TaskControl = {}): Promise<Origin> {
    const keys = await this.#keysOf(tenant);
    if (typeof keys === "string") throw new RepositoryError(keys === destroyed ? "keyDestroyed" : "wrongMasterKey", keys);
    const folder = await mkdtemp(join(tmpdir(), "opencbr-import-"));
    const index = ChunkIndex.open(join(folder, "index.sqlite"), this.repositoryId);
    const close = (): void => {
      index.close();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      await this.#indexPacks(index, tenant, control);
      const reader = new RepositoryReader(this.#store, index);
      const root = await reader.root(tenant, keys, backupId);
      if (root === undefined) throw new RepositoryError("missingRoot", `backup ${backupId} has no root object`);
      return new TenantBackup(new BackupOffer(reader, tenant, keys, root, audience), close);
    } catch (error) {
      close();
      throw asEngineError(error);
    }
  }

  /** A pack that cannot be indexed is missed only by backups that need it. */
  async #indexPacks(index: ChunkIndex, tenant: string, control: TaskControl): Promise<void> {
    let bytesDone = 0;
    for await (const { key, size } of this.#store.list(`${tenantPrefix(tenant)}packs/`)) {
      const pack = parsePackKey(key);
      if (pack === undefined) continue;
      if (control.signal?.aborted) throw new RepositoryError("cancelled", "cancelled on request");
      try {
        const { kind, entries } = await readPackContents(this.#store, key, size);
        index.addPack(tenant, { packId: pack.packId, kind, sizeBytes: size, entries });
      } catch (error) {
        if (!(error instanceof RepositoryError) || error.code !== "corruptPack") throw error;
      }
      bytesDone += size;
      control.onProgress?.({ phase: "indexing", bytesDone, bytesTotal: null });
    }
  }

  /** The tenant's keys, or why there are none. */
  async #keysOf(tenant: string): Promise<TenantKeys | string> {
    try {
      if (await isKeyDestroyed(this.#store, tenant)) return destroyed;
      return (await loadTenantKeys(this.#store, this.#masterKey, tenant)) ?? "the key of the project is not in the store";
    } catch (error) {
      if (error instanceof RepositoryError) return error.message;
      throw asEngineError(error);
    }
  }

  async #describe(tenant: string, backupId: string, keys: TenantKeys | string): Promise<OfflineBackup> {
    if (typeof keys === "string") return { tenant, backupId, unreadable: keys, keyDestroyed: keys === destroyed };
    try {
      const { pageIds: _, ...root } = openRoot(keys, await this.#store.get(rootObjectKey(tenant, backupId)), { tenant, backupId });
      return { tenant, backupId, root };
    } catch (error) {
      if (error instanceof RepositoryError) return { tenant, backupId, unreadable: error.message, keyDestroyed: false };
      throw asEngineError(error);
    }
  }
}

const destroyed = "the key of its project was destroyed";
