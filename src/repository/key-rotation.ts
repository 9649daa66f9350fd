import { existsSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { renameDurably, syncPath } from "#platform/durable.ts";
import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import { masterKeyId, wrapTenantKey } from "./keys.ts";
import { keyDestroyedObjectKey, masterKeysPrefix, tenantKeyObjectKey, tenantKeysPrefix } from "./layout.ts";
import { loadMasterKey, storeMasterKey } from "./master-key.ts";
import { listTenants } from "./rebuild-state.ts";
import { isKeyDestroyed, listMasterKeys, loadDataKey, openRepository } from "./repository-record.ts";

/*
 * A new master key, without rewriting data. Every step may be the last before a crash; the next call goes on from what it finds:
 *
 *   1  the new key is stored beside the old one:   FILE.next
 *   2  store: each tenant's data key under it:     t/<tenant>/keys/<id of the new key>
 *   3  store: both keys are listed:                master-keys/<id of the old>, then master-keys/<id of the new>
 *   4  FILE.old keeps the old key; FILE.next becomes FILE
 *   5  what else was sealed under the old key is sealed anew (`reseal`)
 *   6  store: master-keys/<id of the old> goes, then the data keys that were wrapped under it
 *   7  FILE.old goes
 *
 * Up to 6 the old key opens the store, from 3 on the new one does: there is no moment with neither. FILE opens it at every moment.
 */
export interface Rotation {
  /** The master key file. */
  path: string;
  store: ObjectStore;
  random: Random;
  /** Seals anew what is kept under the master key outside the store. May be called again with what it has done already. */
  reseal: (from: Uint8Array, to: Uint8Array) => Promise<void>;
}

/**
 * Gives the store a new master key, or ends a rotation that was interrupted: `resumed` tells which.
 * Errors: those of {@link openRepository} and {@link loadMasterKey}; `wrongMasterKey` when a tenant's key does not open: nothing was retired then.
 */
export async function rotateMasterKey({ path, store, random, reseal }: Rotation): Promise<{ resumed: boolean; tenants: number }> {
  const [next, old] = [`${path}.next`, `${path}.old`];
  const current = loadMasterKey(path);
  await openRepository(store, current);
  const hasNext = existsSync(next);
  const resumed = hasNext || existsSync(old) || (await listMasterKeys(store)).some((id) => id !== masterKeyId(current));
  if (hasNext || !resumed) {
    if (!hasNext) storeMasterKey(next, random.bytes(32), random);
    await addMasterKey(store, current, loadMasterKey(next), random);
    storeMasterKey(old, current, random);
    renameDurably(next, path);
  }
  const master = loadMasterKey(path);
  if (existsSync(old)) await reseal(loadMasterKey(old), master);
  const tenants = await retireOthers(store, master);
  if (existsSync(old)) {
    unlinkSync(old);
    syncPath(dirname(old));
  }
  return { resumed, tenants };
}

/** Steps 2 and 3: the store opens with both keys. */
async function addMasterKey(store: ObjectStore, from: Uint8Array, to: Uint8Array, random: Random): Promise<void> {
  for (const tenant of await listTenants(store)) {
    const dataKey = await loadDataKey(store, from, tenant);
    if (dataKey === undefined) continue;
    await store.putIfAbsent(`${tenantKeysPrefix(tenant)}${masterKeyId(to)}`, [wrapTenantKey(to, tenant, dataKey, random)]);
    await requireSame(store, tenant, dataKey, to);
  }
  for (const each of [from, to]) await store.putIfAbsent(`${masterKeysPrefix}${masterKeyId(each)}`, [new Uint8Array(0)]);
}

async function requireSame(store: ObjectStore, tenant: string, dataKey: Uint8Array, masterKey: Uint8Array): Promise<void> {
  const stored = await loadDataKey(store, masterKey, tenant);
  if (stored === undefined || Buffer.compare(stored, dataKey) !== 0)
    throw new RepositoryError("wrongMasterKey", `the key of tenant ${tenant} does not come out the same under the new master key`);
}

/** Step 6: only this master key opens the store. Tells how many tenants it has. */
async function retireOthers(store: ObjectStore, masterKey: Uint8Array): Promise<number> {
  const own = masterKeyId(masterKey);
  const tenants: string[] = [];
  for (const tenant of await listTenants(store)) if ((await loadDataKey(store, masterKey, tenant)) !== undefined) tenants.push(tenant);
  const listed = await listMasterKeys(store);
  if (!listed.includes(own)) throw new RepositoryError("wrongMasterKey", "the new master key is not listed in the store");
  for (const id of listed) if (id !== own) await store.delete(`${masterKeysPrefix}${id}`);
  for (const tenant of tenants) {
    for (const id of await wrappedIds(store, tenant)) if (id !== own) await store.delete(`${tenantKeysPrefix(tenant)}${id}`);
    await store.delete(tenantKeyObjectKey(tenant));
  }
  return tenants.length;
}

async function wrappedIds(store: ObjectStore, tenant: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of store.list(tenantKeysPrefix(tenant))) ids.push(key.slice(tenantKeysPrefix(tenant).length));
  return ids;
}

/**
 * Destroys a tenant's data key: what is in the store of it can never be read again. Idempotent; an interrupted call is ended by the next.
 * A mark stays, so that no new key is made for the tenant. Errors: `missingRoot` when the store has nothing of the tenant.
 */
export async function destroyTenantKey(store: ObjectStore, tenant: string): Promise<void> {
  const ids = await wrappedIds(store, tenant);
  const isKnown = ids.length > 0 || (await store.stat(tenantKeyObjectKey(tenant))) !== undefined || (await isKeyDestroyed(store, tenant));
  if (!isKnown) throw new RepositoryError("missingRoot", `the store has no key of project ${tenant}`);
  await store.putIfAbsent(keyDestroyedObjectKey(tenant), [new Uint8Array(0)]);
  await store.delete(tenantKeyObjectKey(tenant));
  for (const id of ids) await store.delete(`${tenantKeysPrefix(tenant)}${id}`);
}
