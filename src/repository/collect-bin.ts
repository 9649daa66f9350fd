import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import type { LedgerClock, SessionLedger } from "./session-ledger.ts";
import { binObjectKey, binPrefix, rootObjectKey } from "./layout.ts";

/*
 * A deleted backup that may still be brought back, the object `t/<tenant>/bin/<backup id>`; integers little-endian:
 *
 *   0   8  magic "OCBRBIN1"
 *   8   8  when it was deleted, microseconds since the Unix epoch, as the ledger notes time
 *  16   ·  the root object
 */
const magic = Buffer.from("OCBRBIN1", "latin1");
const headerBytes = 16;

export interface BinEntry {
  backupId: string;
  deletedAtUs: number;
}

export function encodeBinObject(root: Uint8Array, deletedAtUs: number): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeBigUInt64LE(BigInt(Math.max(0, deletedAtUs)), 8);
  return Buffer.concat([header, root]);
}

/** Errors: `corruptRoot` */
export function decodeBinObject(object: Uint8Array, backupId: string): { deletedAtUs: number; root: Uint8Array } {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.length);
  const deletedAtUs = bytes.length < headerBytes ? NaN : Number(bytes.readBigUInt64LE(8));
  if (bytes.length < headerBytes || !bytes.subarray(0, 8).equals(magic) || !Number.isSafeInteger(deletedAtUs))
    throw new RepositoryError("corruptRoot", `the object of deleted backup ${backupId} is not one`);
  return { deletedAtUs, root: object.subarray(headerBytes) };
}

export async function getIfThere(store: ObjectStore, key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key, range);
  } catch (error) {
    if (error instanceof StorageError && error.code === "notFound") return undefined;
    throw error;
  }
}

/** Moves a root object into the bin: first it is in both places, so that whoever looks at roots before bins sees it in one. Idempotent. */
export async function moveToBin(store: ObjectStore, ledger: SessionLedger, tenant: string, backupId: string, clock: LedgerClock): Promise<void> {
  const from = rootObjectKey(tenant, backupId);
  const to = binObjectKey(tenant, backupId);
  const root = await getIfThere(store, from);
  if (root === undefined) return;
  const nowUs = ledger.noteTime(clock);
  if ((await store.putIfAbsent(to, [encodeBinObject(root, nowUs)])) === "exists") {
    // Left by a return from the bin that was interrupted; its time is that of an earlier deletion.
    await store.delete(to);
    await store.putIfAbsent(to, [encodeBinObject(root, nowUs)]);
  }
  await store.delete(from);
  ledger.noteRoot(tenant, backupId);
}

/** Every deleted backup that has not been purged, in no promised order. */
export async function listBin(store: ObjectStore, tenant: string): Promise<BinEntry[]> {
  const prefix = binPrefix(tenant);
  const entries: BinEntry[] = [];
  const ids: string[] = [];
  for await (const { key } of store.list(prefix)) ids.push(key.slice(prefix.length));
  for (const backupId of ids) {
    const entry = await binEntry(store, tenant, backupId);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

export async function binEntry(store: ObjectStore, tenant: string, backupId: string): Promise<BinEntry | undefined> {
  const key = binObjectKey(tenant, backupId);
  const size = (await store.stat(key))?.size;
  if (size === undefined) return undefined;
  const header = await getIfThere(store, key, { offset: 0, length: Math.min(size, headerBytes) });
  return header && { backupId, deletedAtUs: decodeBinObject(header, backupId).deletedAtUs };
}
