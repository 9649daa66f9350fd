import { codec } from "#platform/native.ts";
import { RepositoryError } from "./engine-types.ts";
import { keyedHash, packKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf } from "./layout.ts";

/*
 * One record of a pack; integers little-endian:
 *
 *   0   4  magic "OCBC"
 *   4   1  version, 1
 *   5   1  kind: 1 data, 2 page
 *   6   1  codec: 0 raw, 1 zstd
 *   7   1  zero
 *   8   4  slot, counted from 0 in the pack
 *  12   4  N, length of the ciphertext
 *  16   4  length of the plain bytes
 *  20   4  zero
 *  24  32  id: keyed BLAKE3 of the plain bytes
 *  56  16  tag
 *  72   N  ciphertext: AES-256-GCM of codec(plain)
 *
 * Key = derive(one pack, pack id); nonce = slot (4) || 0 (8); additional data = pack id (16) || header (the first 56 bytes).
 */
export const recordHeaderBytes = 56;
export const recordOverheadBytes = recordHeaderBytes + 16;
/** Longest plain content of a record: twice the largest chunk. */
export const maxPlainBytes = 8 << 20;

export type RecordKind = "data" | "page";
export const kindCode = (kind: RecordKind): number => (kind === "data" ? 1 : 2);

export interface RecordHeader {
  kind: RecordKind;
  compressed: boolean;
  slot: number;
  cipherLength: number;
  plainLength: number;
  id: Uint8Array;
}

const magic = 0x4342434f;

/** Reads a clear header, or says in a word what is wrong with it. */
export function readRecordHeader(bytes: Buffer, offset: number): RecordHeader | string {
  if (bytes.length - offset < recordHeaderBytes) return "is cut short";
  if (bytes.readUInt32LE(offset) !== magic) return "has no magic number";
  if (bytes[offset + 4] !== 1) return `has version ${bytes[offset + 4]}`;
  const kind = bytes[offset + 5];
  const codec = bytes[offset + 6];
  if (kind !== 1 && kind !== 2) return `has kind ${kind}`;
  if (codec !== 0 && codec !== 1) return `has codec ${codec}`;
  if (bytes[offset + 7] !== 0 || bytes.readUInt32LE(offset + 20) !== 0) return "has a reserved field in use";
  const cipherLength = bytes.readUInt32LE(offset + 12);
  const plainLength = bytes.readUInt32LE(offset + 16);
  if (plainLength < 1 || plainLength > maxPlainBytes) return `has a plain length of ${plainLength}`;
  if (codec === 0 ? cipherLength !== plainLength : cipherLength < 1 || cipherLength >= plainLength) return `has a length of ${cipherLength}`;
  return {
    kind: kind === 1 ? "data" : "page",
    compressed: codec === 1,
    slot: bytes.readUInt32LE(offset + 8),
    cipherLength,
    plainLength,
    id: Uint8Array.prototype.slice.call(bytes, offset + 24, offset + 56),
  };
}

/** Longest zstd output for this many bytes, so that one allocation holds it. */
export const zstdBound = (length: number): number => length + (length >>> 8) + (length < 131072 ? (131072 - length) >>> 11 : 0) + 64;

/** zstd of `plain` at the start of `into`; its length, or 0 when it is to be stored raw: level 0, or less than 3 % would be saved. */
export function compress(plain: Uint8Array, level: number, into: Uint8Array): number {
  if (level === 0 || plain.length < 64) return 0;
  return codec().compress(plain, into.subarray(0, Math.floor(plain.length * 0.97)), level);
}

/** Undoes zstd; throws when the result is not exactly `plainLength` bytes, before it can become longer. */
export function decompress(packed: Uint8Array, plainLength: number, into: Uint8Array = new Uint8Array(plainLength)): Uint8Array {
  const length = codec().decompress(packed, into);
  if (length !== plainLength) throw new RangeError(length < 0 ? "not a zstd frame of that length" : `${length} bytes instead of ${plainLength}`);
  return into;
}

/** The parts of sealing that stay the same through one pack. */
export class RecordSealer {
  readonly #key: Uint8Array;
  readonly #nonce = Buffer.alloc(12);
  /** Pack id, then the header that is being written: the additional data of the seal. */
  readonly #aad = Buffer.alloc(16 + recordHeaderBytes);

  constructor(keys: TenantKeys, packId: Uint8Array, kind: RecordKind) {
    this.#key = packKey(keys, packId);
    this.#aad.set(packId);
    this.#aad.writeUInt32LE(magic, 16);
    this.#aad[20] = 1;
    this.#aad[21] = kindCode(kind);
  }

  /** Writes one record to `into` at `offset`, where there must be room for it. `payload` may lie in its very place there. */
  seal(slot: number, id: Uint8Array, payload: Uint8Array, plainLength: number, compressed: boolean, into: Buffer, offset: number): void {
    const aad = this.#aad;
    aad[22] = compressed ? 1 : 0;
    aad.writeUInt32LE(slot, 24);
    aad.writeUInt32LE(payload.length, 28);
    aad.writeUInt32LE(plainLength, 32);
    aad.set(id, 40);
    this.#nonce.writeUInt32LE(slot);
    const start = offset + recordOverheadBytes;
    const tag = into.subarray(offset + recordHeaderBytes, start);
    codec().seal(this.#key, this.#nonce, aad, payload, into.subarray(start, start + payload.length), tag);
    aad.copy(into, offset, 16);
  }
}

/** Decrypts one record whose header has been read to the start of `into`; false when the tag does not match. */
export function openPayload(key: Uint8Array, packId: Uint8Array, slot: number, record: Buffer, into: Uint8Array): boolean {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(slot);
  const aad = Buffer.allocUnsafe(16 + recordHeaderBytes);
  aad.set(packId);
  record.copy(aad, 16, 0, recordHeaderBytes);
  return codec().open(key, nonce, aad, record.subarray(recordOverheadBytes), record.subarray(recordHeaderBytes, recordOverheadBytes), into);
}

let scratchBytes = new Uint8Array(0);

/** Memory of this thread for bytes that are done with before the next call. */
export function scratch(length: number): Uint8Array {
  if (scratchBytes.length < length) scratchBytes = new Uint8Array(Math.max(length, 1 << 20));
  return scratchBytes.subarray(0, length);
}

export interface ExpectedRecord {
  slot: number;
  /** 32 bytes. */
  id: Uint8Array;
  plainLength?: number;
}

/**
 * Plain bytes of one record, verified: header, tag, length, and the id computed again from the bytes unless `trustTag`.
 * With `into`, which must have their length, they are put there and that is returned; when anything fails, it holds nothing of worth.
 * `record` is exactly the record. Errors: `corruptChunk` for data, `corruptPage` for pages; the message tells pack and slot.
 */
export function openRecord(
  keys: TenantKeys,
  packId: Uint8Array,
  record: Uint8Array,
  expected: ExpectedRecord,
  options: { trustTag?: boolean; into?: Uint8Array } = {},
): Uint8Array {
  const { bytes, header, corrupt } = readExpected(packId, record, expected);
  const { compressed, plainLength, cipherLength } = header;
  const into = options.into ?? new Uint8Array(plainLength);
  if (into.length !== plainLength) throw corrupt(`holds ${plainLength} bytes, not ${into.length}`);
  const payload = compressed ? scratch(cipherLength) : into;
  if (!openPayload(packKey(keys, packId), packId, header.slot, bytes, payload)) throw corrupt("does not authenticate");
  if (compressed) {
    try {
      decompress(payload, plainLength, into);
    } catch (cause) {
      throw corrupt("does not decompress to its length", cause);
    }
  }
  if (!options.trustTag && !Buffer.from(expected.id).equals(keyedHash(header.kind === "page" ? keys.pageId : keys.chunkId, into)))
    throw corrupt("does not hash to its id");
  return into;
}

/** As {@link openRecord} by the tag alone, but as it was compressed: shorter than the plain bytes where that paid. */
export function openPacked(keys: TenantKeys, packId: Uint8Array, record: Uint8Array, expected: ExpectedRecord): Uint8Array {
  const { bytes, header, corrupt } = readExpected(packId, record, expected);
  const payload = new Uint8Array(header.cipherLength);
  if (!openPayload(packKey(keys, packId), packId, header.slot, bytes, payload)) throw corrupt("does not authenticate");
  return payload;
}

/** The header of the record that is expected here, or what is wrong with it. */
function readExpected(packId: Uint8Array, record: Uint8Array, expected: ExpectedRecord) {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
  const header = readRecordHeader(bytes, 0);
  const page = typeof header !== "string" && header.kind === "page";
  const corrupt = (what: string, cause?: unknown): RepositoryError =>
    new RepositoryError(page ? "corruptPage" : "corruptChunk", `record ${expected.slot} of pack ${hexOf(packId)} ${what}`, cause);
  if (typeof header === "string") throw corrupt(header);
  if (header.slot !== expected.slot) throw corrupt(`says it is record ${header.slot}`);
  if (!bytes.subarray(24, 56).equals(expected.id)) throw corrupt(`holds ${hexOf(header.id)}, not ${hexOf(expected.id)}`);
  if (expected.plainLength !== undefined && header.plainLength !== expected.plainLength)
    throw corrupt(`holds ${header.plainLength} bytes, not ${expected.plainLength}`);
  if (bytes.length !== recordOverheadBytes + header.cipherLength)
    throw corrupt(`has ${bytes.length} bytes, not ${recordOverheadBytes + header.cipherLength}`);
  return { bytes, header, corrupt };
}
