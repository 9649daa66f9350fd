import type { ObjectStore } from "#storage/store.ts";
import { decodeBinObject, getIfThere, listBin } from "./collect-bin.ts";
import type { BinEntry } from "./collect-bin.ts";
import type { PackFact } from "./collect-plan.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { binObjectKey, hexOf, rootObjectKey, rootPrefix } from "./layout.ts";
import { pageChunks } from "./page.ts";
import { openRoot } from "./root.ts";
import { packStates } from "./session-ledger.ts";
import type { MarkStart } from "./session-ledger.ts";
import { footerBytes, packHeaderBytes, trailerEntryBytes } from "./trailer.ts";

export interface MarkParts {
  store: ObjectStore;
  index: ChunkIndex;
  reader: RepositoryReader;
}

/**
 * One bit for each record of a tenant's packs, as they were when the mark started, and the live bytes of each pack: 0.9 MiB for a TiB of chunks of
 * 256 KiB. A page's own bit tells that it has been walked.
 */
class MarkBits {
  #packNos: number[] = [];
  #firsts: number[] = [];
  #live: Float64Array;
  #whole: Uint8Array;
  #bits: Uint8Array;

  constructor(packs: Iterable<{ no: number; recordCount: number }>) {
    let records = 0;
    for (const { no, recordCount } of packs) {
      this.#packNos.push(no);
      this.#firsts.push(records);
      records += recordCount;
    }
    this.#live = new Float64Array(this.#packNos.length);
    this.#whole = new Uint8Array(this.#packNos.length);
    this.#bits = new Uint8Array(Math.ceil(records / 8));
  }

  copy(): MarkBits {
    const copy = new MarkBits([]);
    copy.#packNos = this.#packNos;
    copy.#firsts = this.#firsts;
    copy.#live = this.#live.slice();
    copy.#whole = this.#whole.slice();
    copy.#bits = this.#bits.slice();
    return copy;
  }

  /** False when it was set before, or the pack came after the mark had started. */
  set(packNo: number, slot: number, length: number): boolean {
    const at = this.#find(packNo);
    if (at < 0 || this.has(packNo, slot)) return false;
    const bit = this.#firsts[at]! + slot;
    this.#bits[bit >>> 3]! |= 1 << (bit & 7);
    this.#live[at]! += length;
    return true;
  }

  has(packNo: number, slot: number): boolean {
    const at = this.#find(packNo);
    if (at < 0) return false;
    const bit = this.#firsts[at]! + slot;
    return (this.#bits[bit >>> 3]! & (1 << (bit & 7))) !== 0;
  }

  /** The pack is needed as it is. */
  setWhole(packNo: number): void {
    const at = this.#find(packNo);
    if (at >= 0) this.#whole[at] = 1;
  }

  /** Bytes of the records that are marked one by one. */
  markedBytesOf(packNo: number): number {
    const at = this.#find(packNo);
    return at < 0 ? 0 : this.#live[at]!;
  }

  /** Undefined when the pack came after the mark had started. */
  liveBytesOf(packNo: number, recordBytes: number): number | undefined {
    const at = this.#find(packNo);
    if (at < 0) return undefined;
    return this.#whole[at] === 1 ? recordBytes : this.#live[at]!;
  }

  #find(packNo: number): number {
    let low = 0;
    let high = this.#packNos.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#packNos[middle]!;
      if (found === packNo) return middle;
      if (found < packNo) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

export interface Mark {
  start: MarkStart;
  rootCount: number;
  /** Deleted backups that were left out, because their time is over. */
  expired: BinEntry[];
  /** Of backups: what could not be found. The bytes are lost already; nothing is condemned because of it that a backup needs. */
  damaged: { backupId: string; reason: string }[];
  /** Why it is not known what all backups need. */
  unknown: string | undefined;
  isLive(packNo: number, slot: number): boolean;
  /** Of every pack: the bytes of the records that some root needs. */
  needed(): Map<number, number>;
  facts(): Generator<PackFact>;
}

/** Walks every root: committed, in the bin, or compared with. `isExpired` tells which deleted backups need not be kept; `keep` may throw, to stop. */
export async function markTenant(
  parts: MarkParts,
  tenant: string,
  keys: TenantKeys,
  start: MarkStart,
  isExpired: (entry: BinEntry) => boolean,
  keep: () => void,
): Promise<Mark> {
  const { index } = parts;
  const walk = new Walk(parts, tenant, keys, new MarkBits(liveRows(index, tenant)));
  const { backupIds, expired } = await rootsOf(parts, tenant, start, isExpired);
  for (const backupId of backupIds) {
    await walk.root(backupId, keep);
  }
  // What only they needed may go: their deletion was asked for. Whether all of it can be read does not matter.
  const withExpired = expired.length === 0 ? walk.bits : walk.bits.copy();
  const last = new Walk(parts, tenant, keys, withExpired);
  for (const { backupId } of expired) if (!backupIds.has(backupId)) await last.root(backupId, keep);
  return {
    start,
    rootCount: backupIds.size,
    expired,
    damaged: walk.damaged,
    unknown: walk.unknown,
    isLive: (packNo, slot) => walk.bits.has(packNo, slot),
    needed: () => new Map([...index.ledger.packsOf(tenant)].map(({ no }) => [no, walk.bits.markedBytesOf(no)])),
    *facts() {
      for (const { packId, recordCount, ...pack } of index.ledger.packsOf(tenant)) {
        const recordBytes = pack.sizeBytes - packHeaderBytes - footerBytes - recordCount * trailerEntryBytes;
        const liveBytes = walk.bits.liveBytesOf(pack.no, recordBytes);
        if (liveBytes === undefined) continue;
        const expiredBytes = withExpired.markedBytesOf(pack.no) - walk.bits.markedBytesOf(pack.no);
        yield { ...pack, packId: hexOf(packId), recordBytes, liveBytes, expiredBytes };
      }
    },
  };
}

function* liveRows(index: ChunkIndex, tenant: string): Generator<{ no: number; recordCount: number }> {
  for (const { no, recordCount, state } of index.ledger.packsOf(tenant)) if (state !== packStates.deleting) yield { no, recordCount };
}

/**
 * Everything that may have to be kept. A deletion moves a root from `roots/` to `bin/`, so roots are listed first: it is seen in one of them. A
 * listing may lack what the index knows; that is asked for by name.
 */
async function rootsOf(
  { store, index }: MarkParts,
  tenant: string,
  start: MarkStart,
  isExpired: (entry: BinEntry) => boolean,
): Promise<{ backupIds: Set<string>; expired: BinEntry[] }> {
  const backupIds = new Set([...start.roots, ...start.pins]);
  const prefix = rootPrefix(tenant);
  const listed = new Set<string>();
  for await (const { key } of store.list(prefix)) listed.add(key.slice(prefix.length));
  for (const backupId of listed) {
    backupIds.add(backupId);
    index.ledger.noteRoot(tenant, backupId);
  }
  const deleted = await listBin(store, tenant);
  for (const { backupId } of deleted) backupIds.add(backupId);
  const expired: BinEntry[] = [];
  for (const entry of deleted) {
    if (!isExpired(entry) || index.ledger.isPinned(tenant, entry.backupId)) continue;
    expired.push(entry);
    // With a root object beside it, it is what an interrupted deletion or return has left: the backup stays.
    if ((await store.stat(rootObjectKey(tenant, entry.backupId))) === undefined) backupIds.delete(entry.backupId);
  }
  return { backupIds, expired };
}

class Walk {
  readonly bits: MarkBits;
  readonly damaged: { backupId: string; reason: string }[] = [];
  unknown: string | undefined;
  readonly #parts: MarkParts;
  readonly #tenant: string;
  readonly #keys: TenantKeys;
  /** Packs of records that are known to be damaged, by the hex of the id. */
  #badCopies: Map<string, number> | undefined;

  constructor(parts: MarkParts, tenant: string, keys: TenantKeys, bits: MarkBits) {
    this.#parts = parts;
    this.#tenant = tenant;
    this.#keys = keys;
    this.bits = bits;
  }

  async root(backupId: string, keep: () => void): Promise<void> {
    const { store, index } = this.#parts;
    const object = await this.#rootObject(backupId);
    if (object === undefined) return index.ledger.forgetRoot(this.#tenant, backupId);
    const damage: string[] = [];
    const unknown: string[] = [];
    try {
      const { pageIds } = openRoot(this.#keys, object, { tenant: this.#tenant, backupId });
      for (let page = 0; page < pageIds.length / 32; page++) {
        keep();
        await this.#page(pageIds, page, damage, unknown);
      }
    } catch (error) {
      if (!(error instanceof RepositoryError) || !isDamage(error)) throw error;
      unknown.push(error.message);
    }
    if (damage.length === 0 && unknown.length === 0) return;
    // Deleted for good while we walked: then nobody needs what was missing.
    const there = await Promise.all([rootObjectKey, binObjectKey].map((keyOf) => store.stat(keyOf(this.#tenant, backupId))));
    if (there.every((found) => found === undefined)) return;
    const reason = [...unknown, ...damage][0]!;
    this.damaged.push({ backupId, reason });
    if (unknown.length > 0) this.unknown ??= `what backup ${backupId} needs is not wholly known: ${unknown[0]}`;
  }

  async #rootObject(backupId: string): Promise<Uint8Array | undefined> {
    const { store } = this.#parts;
    // Asked twice: it may return from the bin in between.
    for (let turn = 0; turn < 2; turn++) {
      const root = await getIfThere(store, rootObjectKey(this.#tenant, backupId));
      if (root !== undefined) return root;
      const deleted = await getIfThere(store, binObjectKey(this.#tenant, backupId));
      if (deleted !== undefined) return decodeBinObject(deleted, backupId).root;
    }
    return undefined;
  }

  async #page(pageIds: Uint8Array, page: number, damage: string[], unknown: string[]): Promise<void> {
    const { index, reader } = this.#parts;
    const pageId = pageIds.subarray(page * 32, page * 32 + 32);
    if (pageId.every((byte) => byte === 0)) return;
    const [own] = index.locate(this.#tenant, [pageId]);
    let flat: Uint8Array | undefined;
    let reason = `page ${page} is in no pack`;
    if (own !== undefined) {
      const { slot, length } = own.location;
      if (this.bits.has(own.packNo, slot)) return;
      try {
        flat = await reader.pageOf(this.#tenant, this.#keys, pageIds, page);
      } catch (error) {
        if (!(error instanceof RepositoryError) || !isDamage(error)) throw error;
        reason = error.message;
      }
      if (flat === undefined) this.bits.setWhole(own.packNo);
      else this.bits.set(own.packNo, slot, length);
    }
    if (flat === undefined) {
      this.#keepBadCopy(pageId);
      return this.#lostPage(pageId, reason, damage, unknown);
    }
    const ids: Uint8Array[] = [];
    const words = new Uint32Array(flat.buffer, flat.byteOffset, flat.length / 4);
    for (let at = 0; at < pageChunks; at++) {
      let word = at * 8;
      while (word < at * 8 + 8 && words[word] === 0) word++;
      if (word < at * 8 + 8) ids.push(flat.subarray(at * 32, at * 32 + 32));
    }
    for (const [at, place] of index.locate(this.#tenant, ids).entries()) {
      if (place !== undefined) this.bits.set(place.packNo, place.location.slot, place.location.length);
      else {
        damage.push(`chunk ${hexOf(ids[at]!)} is in no pack`);
        this.#keepBadCopy(ids[at]!);
      }
    }
  }

  /** What is called damaged may turn out to be sound after all: its pack stays. */
  #keepBadCopy(id: Uint8Array): void {
    const { index } = this.#parts;
    if (this.#badCopies === undefined) {
      const packNos = new Map<string, number>();
      for (const { no, packId } of index.ledger.packsOf(this.#tenant)) packNos.set(hexOf(packId), no);
      this.#badCopies = new Map();
      for (const [name, { packId }] of index.damage.of(this.#tenant)) {
        const packNo = packId && packNos.get(hexOf(packId));
        if (packNo !== undefined) this.#badCopies.set(name, packNo);
      }
    }
    const packNo = this.#badCopies.get(hexOf(id));
    if (packNo !== undefined) this.bits.setWhole(packNo);
  }

  /** The page cannot be read. Where it is remembered which packs it needs, they are kept as they are. */
  #lostPage(pageId: Uint8Array, reason: string, damage: string[], unknown: string[]): void {
    const packNos = this.#parts.index.rememberedPackNos(this.#tenant, pageId);
    if (packNos === undefined) unknown.push(reason);
    else {
      damage.push(reason);
      for (const packNo of packNos) this.bits.setWhole(packNo);
    }
  }
}

const isDamage = ({ code }: RepositoryError): boolean =>
  code === "corruptRoot" || code === "corruptPage" || code === "corruptPack" || code === "corruptChunk" || code === "missingChunk";
