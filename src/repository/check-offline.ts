import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import { messageOf } from "./check-pack.ts";
import { hexOf, parsePackKey } from "./layout.ts";
import { readRecord } from "./repository-record.ts";
import { verifyPackCiphertext } from "./trailer.ts";

export interface ScrubOutcome {
  packs: number;
  records: number;
  roots: number;
  bytesRead: number;
  /** Every record, pack or root object that is not as its hashes, lengths and name say. */
  findings: { object: string; reason: string }[];
}

const rootPattern = /^t\/([^/]+)\/roots\/([^/]+)$/;

/**
 * Holds everything in a store against what it says of itself, without any key: each pack against its name, its trailer's hash and the hash of each
 * ciphertext; the clear part of each root object. Finds accidents, not forgeries; changes nothing. Errors: `notARepository`, `newerFormat`, or the
 * store's.
 */
export async function scrubStore(store: ObjectStore, onProgress: (bytesDone: number, bytesTotal: number) => void = () => {}): Promise<ScrubOutcome> {
  await readRecord(store);
  const outcome: ScrubOutcome = { packs: 0, records: 0, roots: 0, bytesRead: 0, findings: [] };
  const objects: { key: string; size: number }[] = [];
  for await (const { key, size } of store.list("t/")) objects.push({ key, size });
  const total = objects.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const { key, size } of objects.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    onProgress(done, total);
    done += size;
    const pack = parsePackKey(key);
    const root = rootPattern.exec(key);
    if (pack === undefined && root === null) continue;
    let bytes: Uint8Array;
    try {
      bytes = await store.get(key);
    } catch (error) {
      if (error instanceof StorageError && error.code === "notFound") continue;
      throw error;
    }
    outcome.bytesRead += bytes.length;
    const find = (reason: string): unknown => outcome.findings.push({ object: key, reason });
    if (pack !== undefined) {
      outcome.packs++;
      scrubPack(bytes, pack.packId, outcome, find);
    } else {
      outcome.roots++;
      const wrong = rootProblem(bytes, root![1]!, root![2]!);
      if (wrong !== undefined) find(wrong);
    }
  }
  onProgress(total, total);
  return outcome;
}

function scrubPack(bytes: Uint8Array, packId: Uint8Array, outcome: ScrubOutcome, find: (reason: string) => unknown): void {
  try {
    const { packId: inside, entries, damaged } = verifyPackCiphertext(bytes);
    outcome.records += entries.length;
    if (Buffer.compare(inside, packId) !== 0) find(`it is pack ${hexOf(inside)}`);
    for (const { slot, reason } of damaged) find(`record ${slot}: ${reason}`);
  } catch (error) {
    find(messageOf(error));
  }
}

/** What is wrong with a root object as far as it can be told without a key; docs/format has its layout. */
function rootProblem(object: Uint8Array, tenant: string, backupId: string): string | undefined {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.length);
  if (bytes.length < 56 || bytes.toString("latin1", 0, 8) !== "OCBRROOT") return "it is no root object";
  if (bytes.readUInt16LE(8) !== 1) return `it is of format ${bytes.readUInt16LE(8)}`;
  const tenantEnd = 40 + bytes.readUInt16LE(10);
  const clearEnd = tenantEnd + bytes.readUInt16LE(12);
  if (bytes.length !== clearEnd + 16 + bytes.readUInt32LE(36)) return "it has a wrong length";
  if (bytes.toString("utf8", 40, tenantEnd) !== tenant || bytes.toString("utf8", tenantEnd, clearEnd) !== backupId)
    return "it is that of another backup";
  return undefined;
}
