import { timingSafeEqual } from "node:crypto";
import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import { createTenantKey, deriveTenantKeys, masterKeyCheck, masterKeyId, unwrapTenantKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { keyDestroyedObjectKey, masterKeysPrefix, repositoryRecordKey, tenantKeyObjectKey, tenantKeysPrefix } from "./layout.ts";

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
  const record = await readRecord(store);
  await checkMasterKey(store, record, masterKey);
  return record;
}

/** The record of the repository in this store; nothing is written. Errors as {@link openOrCreateRepository}; `notARepository` when there is none. */
export async function openRepository(store: ObjectStore, masterKey: Uint8Array): Promise<RepositoryRecord> {
  const record = await readRecord(store);
  await checkMasterKey(store, record, masterKey);
  return record;
}

/** The record as it is, whatever the master key. Errors: `notARepository`, `newerFormat`. */
export async function readRecord(store: ObjectStore): Promise<RepositoryRecord> {
  const found = await store.stat(repositoryRecordKey);
  if (!found || found.size > maxRecordBytes)
    throw new RepositoryError("notARepository", found ? `${repositoryRecordKey} has ${found.size} bytes` : `there is no ${repositoryRecordKey}`);
  return decodeRecord(await store.get(repositoryRecordKey));
}

/** Ids of the master keys that open the store; empty as long as the record's is the only one there has been. */
export async function listMasterKeys(store: ObjectStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of store.list(masterKeysPrefix)) ids.push(key.slice(masterKeysPrefix.length));
  return ids.sort();
}

/** Once master keys are listed, exactly those open the store; before, the one that the record checks. @throws RepositoryError `wrongMasterKey` */
async function checkMasterKey(store: ObjectStore, record: RepositoryRecord, masterKey: Uint8Array): Promise<void> {
  const listed = await listMasterKeys(store);
  if (listed.length === 0) {
    const expected = Buffer.from(masterKeyCheck(masterKey, record.repositoryId), "hex");
    if (timingSafeEqual(expected, Buffer.from(record.masterKeyCheck, "hex"))) return;
  } else if (listed.includes(masterKeyId(masterKey))) return;
  throw new RepositoryError("wrongMasterKey", `this master key is not that of repository ${record.repositoryId}`);
}

/** Whether the tenant's key was destroyed on purpose: nothing of it can be read, and nothing is stored for it again. */
export const isKeyDestroyed = async (store: ObjectStore, tenant: string): Promise<boolean> =>
  (await store.stat(keyDestroyedObjectKey(tenant))) !== undefined;

/** The tenant's wrapped data key under this master key; else the one of the first master key. */
async function findWrapped(store: ObjectStore, masterKey: Uint8Array, tenant: string): Promise<Uint8Array | undefined> {
  for (const key of [`${tenantKeysPrefix(tenant)}${masterKeyId(masterKey)}`, tenantKeyObjectKey(tenant)])
    if ((await store.stat(key)) !== undefined) return store.get(key);
  for await (const { key } of store.list(tenantKeysPrefix(tenant)))
    throw new RepositoryError("wrongMasterKey", `the key of tenant ${tenant} is kept under another master key only (${key})`);
  return undefined;
}

/** The tenant's keys; undefined when it has none yet, or not any more. Errors: `wrongMasterKey`, `newerFormat`. */
export async function loadTenantKeys(store: ObjectStore, masterKey: Uint8Array, tenant: string): Promise<TenantKeys | undefined> {
  const dataKey = await loadDataKey(store, masterKey, tenant);
  return dataKey && deriveTenantKeys(dataKey);
}

/** The tenant's data key, 32 bytes; as {@link loadTenantKeys}. */
export async function loadDataKey(store: ObjectStore, masterKey: Uint8Array, tenant: string): Promise<Uint8Array | undefined> {
  if (await isKeyDestroyed(store, tenant)) return undefined;
  const wrapped = await findWrapped(store, masterKey, tenant);
  return wrapped && unwrapTenantKey(masterKey, tenant, wrapped);
}

/** The tenant's keys, made and stored when it has none yet. Errors: `keyDestroyed`, and those of {@link loadTenantKeys}. */
export async function loadOrCreateTenantKeys(store: ObjectStore, masterKey: Uint8Array, tenant: string, random: Random): Promise<TenantKeys> {
  const found = await loadTenantKeys(store, masterKey, tenant);
  if (found) return found;
  if (await isKeyDestroyed(store, tenant))
    throw new RepositoryError("keyDestroyed", `the key of tenant ${tenant} was destroyed: nothing is stored for it again`);
  const isRotated = (await listMasterKeys(store)).length > 0;
  const key = isRotated ? `${tenantKeysPrefix(tenant)}${masterKeyId(masterKey)}` : tenantKeyObjectKey(tenant);
  await store.putIfAbsent(key, [createTenantKey(masterKey, tenant, random).wrapped]);
  const stored = await loadTenantKeys(store, masterKey, tenant);
  if (!stored) throw new RepositoryError("storeUnavailable", `the key object of tenant ${tenant} was stored and is not there`);
  return stored;
}
