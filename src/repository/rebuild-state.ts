import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import type { Random } from "#platform/random.ts";
import { RepositoryError } from "./engine-types.ts";
import type { TenantKeys } from "./keys.ts";
import { tenantPrefix } from "./layout.ts";
import { openRoot, sealRoot } from "./root.ts";

/*
 * State objects: `t/<tenant>/state/state-<microseconds, 20 digits>-<8 hex digits>`, the newest counts. Each is a root object (root.ts) of a disk
 * of 0 bytes whose backup id is the last segment of its key; its document is the state. Objects never change, so a new one is stored before
 * the older ones go.
 */
const namePattern = /^state-(\d{20})-[0-9a-f]{8}$/;
const noStatistics = {
  sizeBytes: 0,
  readBytes: 0,
  dataBytes: 0,
  newBytes: 0,
  storedBytes: 0,
  unchangedBytes: 0,
  deduplicatedBytes: 0,
  newChunks: 0,
  objectCount: 0,
  compressed: false,
  durationMs: 0,
};

export interface TenantState {
  /** When it was written, microseconds since 1970: by the clock of then, but later than that of the state before it. */
  writtenAtUs: number;
  document: unknown;
}

export const statePrefix = (tenant: string): string => `${tenantPrefix(tenant)}state/`;

/** Names, newest first. */
async function stateNames(store: ObjectStore, tenant: string): Promise<string[]> {
  const prefix = statePrefix(tenant);
  const names: string[] = [];
  for await (const { key } of store.list(prefix)) if (namePattern.test(key.slice(prefix.length))) names.push(key.slice(prefix.length));
  return names.sort((a, b) => (a < b ? 1 : -1));
}

const timeOf = (name: string): number => Number(namePattern.exec(name)?.[1] ?? 0);

/** Stores what a tenant looks like beside its backups, then removes what was stored before. Tells the time that it was given. */
export async function writeState(
  store: ObjectStore,
  keys: TenantKeys,
  tenant: string,
  state: { nowUs: number; document: unknown },
  random: Random,
): Promise<number> {
  const older = await stateNames(store, tenant);
  const writtenAtUs = Math.max(state.nowUs, timeOf(older[0] ?? "") + 1);
  const name = `state-${String(writtenAtUs).padStart(20, "0")}-${Buffer.from(random.bytes(4)).toString("hex")}`;
  const root = { tenant, backupId: name, baseId: null, sizeBytes: 0, chunkBytes: 1 << 16, pageIds: new Uint8Array(0) };
  const sealed = sealRoot(keys, { ...root, statistics: noStatistics, document: state.document }, random);
  await store.putIfAbsent(`${statePrefix(tenant)}${name}`, [sealed]);
  for (const each of older) await store.delete(`${statePrefix(tenant)}${each}`);
  return writtenAtUs;
}

/** The newest state that opens; undefined when there is none. Errors: `corruptRoot` when there are some and none opens. */
export async function readState(store: ObjectStore, keys: TenantKeys, tenant: string): Promise<TenantState | undefined> {
  let failure: unknown;
  for (const name of await stateNames(store, tenant)) {
    try {
      const { document } = openRoot(keys, await store.get(`${statePrefix(tenant)}${name}`), { tenant, backupId: name });
      return { writtenAtUs: timeOf(name), document };
    } catch (error) {
      if (error instanceof StorageError && error.code === "notFound") continue;
      if (!(error instanceof RepositoryError)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** Names of all tenants that have any object, in order. */
export async function listTenants(store: ObjectStore): Promise<string[]> {
  const found = new Set<string>();
  for await (const { key } of store.list("t/")) found.add(key.split("/", 2)[1] ?? "");
  found.delete("");
  return [...found].sort();
}
