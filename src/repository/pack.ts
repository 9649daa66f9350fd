import { blake3 } from "@napi-rs/blake-hash";
import { invariant } from "#platform/invariant.ts";
import { RepositoryError } from "./engine-types.ts";
import { keyedHash, packKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf, packObjectKey } from "./layout.ts";
import {
  RecordSealer,
  compress,
  decompress,
  kindCode,
  maxPlainBytes,
  openPayload,
  scratch,
  readRecordHeader,
  recordOverheadBytes,
  zstdBound,
} from "./record.ts";
import type { RecordKind } from "./record.ts";
import { footerBytes, packHeaderBytes, trailerEntryBytes, writePackHeader, writeTrailer } from "./trailer.ts";

export { openRecord } from "./record.ts";
export type { ExpectedRecord, RecordKind } from "./record.ts";

/** One record's place in its pack. Offsets and lengths in bytes; `length` is the whole record's, with header and tag. */
export interface PackEntry {
  /** 32 bytes. */
  id: Uint8Array;
  slot: number;
  offset: number;
  length: number;
  plainLength: number;
  compressed: boolean;
}

export interface PackWriterOptions {
  tenant: string;
  /** 16 random bytes, never used for another pack. */
  packId: Uint8Array;
  keys: TenantKeys;
  kind: RecordKind;
  /** The pack is full when it has this many bytes, or {@link maxPackRecords}. Default 32 MiB. */
  targetBytes?: number;
  /** zstd level; 0 stores as it is. Default 1. */
  compressionLevel?: number;
  /** Memory to build the pack in, grown when too small; the finished pack's bytes may lie in it. */
  buffer?: ArrayBuffer | Buffer | undefined;
}

export interface FinishedPack {
  packId: Uint8Array;
  kind: RecordKind;
  /** Key of the object in the store. */
  key: string;
  bytes: Uint8Array;
  entries: PackEntry[];
}

export const defaultPackBytes = 32 << 20;

/**
 * A pack is full with so many records, however small they are: each costs its writer, the index's transaction and every message about it some
 * memory, which the budget has to hold. At 256 KiB a chunk that is 1 GiB of data that shrinks to a thirtieth.
 */
export const maxPackRecords = 4096;

/** Builds one pack in memory. Not to be used after {@link PackWriter.finish}. */
export class PackWriter {
  readonly packId: Uint8Array;
  readonly kind: RecordKind;
  readonly #tenant: string;
  readonly #keys: TenantKeys;
  readonly #targetBytes: number;
  readonly #level: number;
  readonly #sealer: RecordSealer;
  readonly #entries: PackEntry[] = [];
  readonly #hashes: Uint8Array[] = [];
  #bytes: Buffer;
  #length = packHeaderBytes;
  #finished = false;

  constructor(options: PackWriterOptions) {
    if (options.packId.length !== 16) throw new RepositoryError("invalidRequest", `pack id has ${options.packId.length} bytes, not 16`);
    this.packId = options.packId;
    this.kind = options.kind;
    this.#tenant = options.tenant;
    this.#keys = options.keys;
    this.#targetBytes = options.targetBytes ?? defaultPackBytes;
    this.#level = options.compressionLevel ?? 1;
    this.#sealer = new RecordSealer(options.keys, options.packId, options.kind);
    const { buffer } = options;
    if (buffer === undefined) this.#bytes = Buffer.allocUnsafeSlow(this.#targetBytes + (1 << 20));
    else this.#bytes = buffer instanceof ArrayBuffer ? Buffer.from(buffer) : buffer;
    if (this.#bytes.length < packHeaderBytes) this.#bytes = Buffer.allocUnsafeSlow(1 << 16);
    writePackHeader(this.#bytes, options.kind, options.packId);
  }

  /** Bytes that the pack would have if it were finished now. */
  get byteLength(): number {
    return this.#length + this.#entries.length * trailerEntryBytes + footerBytes;
  }

  get recordCount(): number {
    return this.#entries.length;
  }

  get isFull(): boolean {
    return this.byteLength >= this.#targetBytes || this.#entries.length >= maxPackRecords;
  }

  /**
   * Compresses where that pays, encrypts and appends. `id` (32 bytes, copied) must be the keyed hash of `plain` for this kind; it is not computed
   * again. With `tryCompressing` false it is stored as it is.
   */
  add(id: Uint8Array, plain: Uint8Array, tryCompressing = true): PackEntry {
    invariant(!this.#finished, "a finished pack never changes");
    if (id.length !== 32) throw new RepositoryError("invalidRequest", `id has ${id.length} bytes, not 32`);
    if (plain.length < 1 || plain.length > maxPlainBytes)
      throw new RepositoryError("invalidRequest", `a record of ${plain.length} bytes: allowed are 1 to ${maxPlainBytes}`);
    const offset = this.#length;
    this.#reserve(offset + recordOverheadBytes + plain.length);
    const place = this.#bytes.subarray(offset + recordOverheadBytes);
    const packedLength = tryCompressing ? compress(plain, this.#level, place) : 0;
    const compressed = packedLength > 0;
    return this.#append(id, compressed ? place.subarray(0, packedLength) : plain, plain.length, compressed);
  }

  /** Appends what another pack holds, as it was compressed there: the content of an opened record. */
  addPayload(id: Uint8Array, payload: Uint8Array, plainLength: number, compressed: boolean): PackEntry {
    invariant(!this.#finished, "a finished pack never changes");
    this.#reserve(this.#length + recordOverheadBytes + payload.length);
    return this.#append(id, payload, plainLength, compressed);
  }

  #append(id: Uint8Array, payload: Uint8Array, plainLength: number, compressed: boolean): PackEntry {
    const slot = this.#entries.length;
    const offset = this.#length;
    const length = recordOverheadBytes + payload.length;
    this.#sealer.seal(slot, id, payload, plainLength, compressed, this.#bytes, offset);
    this.#length += length;
    this.#hashes.push(blake3(this.#bytes.subarray(offset + 56, offset + length)));
    const entry = { id: Uint8Array.prototype.slice.call(id), slot, offset, length, plainLength, compressed };
    this.#entries.push(entry);
    return entry;
  }

  /**
   * Appends the trailer and opens every record of the finished bytes again, from the key on: header, id and tag.
   * With `deep`, also decompresses and hashes each (costs about a third of the compression). Throws `corruptPack` if anything differs.
   */
  finish(options: { deep?: boolean } = {}): FinishedPack {
    invariant(!this.#finished, "a pack is finished once");
    this.#finished = true;
    const size = this.byteLength;
    this.#reserve(size);
    writeTrailer(this.#bytes, this.#length, this.kind, this.packId, this.#entries, this.#hashes);
    const bytes = this.#bytes.subarray(0, size);
    this.#reopen(bytes, options.deep ?? false);
    return { packId: this.packId, kind: this.kind, key: packObjectKey(this.#tenant, this.packId), bytes: plainView(bytes), entries: this.#entries };
  }

  #reopen(bytes: Buffer, deep: boolean): void {
    const key = packKey(this.#keys, this.packId);
    for (const entry of this.#entries) {
      const record = bytes.subarray(entry.offset, entry.offset + entry.length);
      const header = readRecordHeader(record, 0);
      const fail = (what: string): RepositoryError =>
        new RepositoryError("corruptPack", `record ${entry.slot} of new pack ${hexOf(this.packId)} ${what}: memory or processor at fault`);
      if (typeof header === "string") throw fail(header);
      if (kindCode(header.kind) !== kindCode(this.kind) || header.slot !== entry.slot || header.plainLength !== entry.plainLength)
        throw fail("has another header than was written");
      if (Buffer.compare(header.id, entry.id) !== 0) throw fail("has another id than was written");
      const payload = scratch(header.cipherLength);
      if (!openPayload(key, this.packId, entry.slot, record, payload)) throw fail("does not open");
      if (deep) {
        const plain = entry.compressed ? decompress(payload, entry.plainLength) : payload;
        const hash = keyedHash(this.kind === "page" ? this.#keys.pageId : this.#keys.chunkId, plain);
        if (Buffer.compare(hash, entry.id) !== 0) throw fail("does not hash to its id");
      }
    }
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(length, Math.min(this.#bytes.length * 2, this.#bytes.length + zstdBound(maxPlainBytes))));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** The same memory without Buffer's own `slice`, which would share where a Uint8Array's copies. */
const plainView = (bytes: Buffer): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
