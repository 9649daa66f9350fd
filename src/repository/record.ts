import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { createCipheriv, createDecipheriv } from "node:crypto";
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

/** zstd, or the bytes themselves when level is 0 or less than 3 % would be saved. */
export function compress(plain: Uint8Array, level: number): Uint8Array {
  if (level === 0 || plain.length < 64) return plain;
  const packed = zstdCompressSync(plain, { chunkSize: zstdBound(plain.length), params: { [constants.ZSTD_c_compressionLevel]: level } });
  return packed.length <= plain.length * 0.97 ? packed : plain;
}

/** Undoes zstd; throws when the result is not exactly `plainLength` bytes, before it can become longer. */
export function decompress(packed: Uint8Array, plainLength: number): Uint8Array {
  const plain = zstdDecompressSync(packed, { chunkSize: Math.max(64, plainLength), maxOutputLength: plainLength });
  if (plain.length !== plainLength) throw new RangeError(`${plain.length} bytes instead of ${plainLength}`);
  return plain;
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

  /** Writes one record to `into` at `offset`, where there must be room for it. */
  seal(slot: number, id: Uint8Array, payload: Uint8Array, plainLength: number, compressed: boolean, into: Buffer, offset: number): void {
    const aad = this.#aad;
    aad[22] = compressed ? 1 : 0;
    aad.writeUInt32LE(slot, 24);
    aad.writeUInt32LE(payload.length, 28);
    aad.writeUInt32LE(plainLength, 32);
    aad.set(id, 40);
    this.#nonce.writeUInt32LE(slot);
    const cipher = createCipheriv("aes-256-gcm", this.#key, this.#nonce).setAAD(aad);
    into.set(cipher.update(payload), offset + recordOverheadBytes);
    cipher.final();
    aad.copy(into, offset, 16);
    into.set(cipher.getAuthTag(), offset + recordHeaderBytes);
  }
}

/** Decrypts one record whose header has been read; undefined when the tag does not match. */
export function openPayload(key: Uint8Array, packId: Uint8Array, slot: number, record: Buffer): Uint8Array | undefined {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(slot);
  const aad = Buffer.allocUnsafe(16 + recordHeaderBytes);
  aad.set(packId);
  record.copy(aad, 16, 0, recordHeaderBytes);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(aad).setAuthTag(record.subarray(recordHeaderBytes, recordOverheadBytes));
  const payload = decipher.update(record.subarray(recordOverheadBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return payload;
}

export interface ExpectedRecord {
  slot: number;
  /** 32 bytes. */
  id: Uint8Array;
  plainLength?: number;
}

/**
 * Plain bytes of one record, verified: header, tag, length, and the id computed again from the bytes unless `trustTag`.
 * With `into`, they are copied there once verified and that is returned; it must have their length.
 * `record` is exactly the record. Errors: `corruptChunk` for data, `corruptPage` for pages; the message tells pack and slot.
 */
export function openRecord(
  keys: TenantKeys,
  packId: Uint8Array,
  record: Uint8Array,
  expected: ExpectedRecord,
  options: { trustTag?: boolean; into?: Uint8Array } = {},
): Uint8Array {
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
  const payload = openPayload(packKey(keys, packId), packId, header.slot, bytes);
  if (!payload) throw corrupt("does not authenticate");
  let plain = payload;
  if (header.compressed) {
    try {
      plain = decompress(payload, header.plainLength);
    } catch (cause) {
      throw corrupt("does not decompress to its length", cause);
    }
  }
  if (!options.trustTag && !Buffer.from(expected.id).equals(keyedHash(header.kind === "page" ? keys.pageId : keys.chunkId, plain)))
    throw corrupt("does not hash to its id");
  if (!options.into) return plain;
  if (options.into.length !== plain.length) throw corrupt(`holds ${plain.length} bytes, not ${options.into.length}`);
  options.into.set(plain);
  return options.into;
}
