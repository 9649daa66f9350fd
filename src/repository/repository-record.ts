import { timingSafeEqual } from "node:crypto";
import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import { createTenantKey, deriveTenantKeys, masterKeyCheck, unwrapTenantKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { repositoryRecordKey, tenantKeyObjectKey } from "./layout.ts";

/** The object `opencbr-repository.json`: what tells that a store is a repository, which one, and under which master key. */
export interface RepositoryRecord {
  format: "opencbr-repository";
  version: 1;
  /** A UUID. */
  repositoryId: string;
  /** Hex, 32 bytes: see {@link masterKeyCheck}. */
  masterKeyCheck: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const maxRecordBytes = 64 << 10;

export function encodeRecord(record: RepositoryRecord): Uint8Array {
  return Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`, "utf8");
}

/** Errors: `notARepository`, `newerFormat`. */
export function decodeRecord(bytes: Uint8Array): RepositoryRecord {
  const refuse = (what: string, cause?: unknown): RepositoryError => new RepositoryError("notARepository", `${repositoryRecordKey} ${what}`, cause);
  let value: Partial<Record<keyof RepositoryRecord, unknown>> | null;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refuse("is not JSON", cause);
  }
  if (value === null || typeof value !== "object" || value.format !== "opencbr-repository") throw refuse("is not a repository's record");
  const { version, repositoryId, masterKeyCheck: check } = value;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) throw refuse("has no version");
  if (version > 1) throw new RepositoryError("newerFormat", `the repository is of format ${version}; this program reads format 1`);
  if (typeof repositoryId !== "string" || !uuid.test(repositoryId)) throw refuse("has no repository id");
  if (typeof check !== "string" || !/^[0-9a-f]{64}$/.test(check)) throw refuse("has no master key check");
  return { format: "opencbr-repository", version: 1, repositoryId, masterKeyCheck: check };
}

/**
 * The record of the repository in this store, made when the store is empty.
 * Errors: `notARepository` when the store holds something else, `wrongMasterKey`, `newerFormat`.
 */
export async function openOrCreateRepository(store: ObjectStore, masterKey: Uint8Array, random: Random): Promise<RepositoryRecord> {
  if ((await store.stat(repositoryRecordKey)) === undefined) {
    for await (const { key } of store.list(""))
      if (key !== repositoryRecordKey)
        throw new RepositoryError("notARepository", `the store has objects (${key}, for one) but no ${repositoryRecordKey}`);
    const repositoryId = random.uuid();
    const record: RepositoryRecord = {
      format: "opencbr-repository",
      version: 1,
      repositoryId,
      masterKeyCheck: masterKeyCheck(masterKey, repositoryId),
    };
    // Another process may have been first: whatever is stored counts.
    await store.putIfAbsent(repositoryRecordKey, [encodeRecord(record)]);
  }
  const found = await store.stat(repositoryRecordKey);
  if (!found || found.size > maxRecordBytes) throw new RepositoryError("notARepository", `${repositoryRecordKey} has ${found?.size ?? 0} bytes`);
  const record = decodeRecord(await store.get(repositoryRecordKey));
  const expected = Buffer.from(masterKeyCheck(masterKey, record.repositoryId), "hex");
  if (!timingSafeEqual(expected, Buffer.from(record.masterKeyCheck, "hex")))
    throw new RepositoryError("wrongMasterKey", `this master key is not that of repository ${record.repositoryId}`);
  return record;
}

/** The tenant's keys; undefined when it has none yet. Errors: `wrongMasterKey`, `newerFormat`. */
export async function loadTenantKeys(store: ObjectStore, masterKey: Uint8Array, tenant: string): Promise<TenantKeys | undefined> {
  const key = tenantKeyObjectKey(tenant);
  if ((await store.stat(key)) === undefined) return undefined;
  return deriveTenantKeys(unwrapTenantKey(masterKey, tenant, await store.get(key)));
}

/** The tenant's keys, made and stored when it has none yet. */
export async function loadOrCreateTenantKeys(store: ObjectStore, masterKey: Uint8Array, tenant: string, random: Random): Promise<TenantKeys> {
  const found = await loadTenantKeys(store, masterKey, tenant);
  if (found) return found;
  await store.putIfAbsent(tenantKeyObjectKey(tenant), [createTenantKey(masterKey, tenant, random).wrapped]);
  const stored = await loadTenantKeys(store, masterKey, tenant);
  if (!stored) throw new RepositoryError("storeUnavailable", `the key object of tenant ${tenant} was stored and is not there`);
  return stored;
}
