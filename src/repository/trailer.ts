import { blake3 } from "@napi-rs/blake-hash";
import { RepositoryError } from "./engine-types.ts";
import { hexOf } from "./layout.ts";
import type { PackEntry } from "./pack.ts";
import { kindCode, readRecordHeader, recordHeaderBytes, recordOverheadBytes } from "./record.ts";
import type { RecordKind } from "./record.ts";

/*
 * A pack = header || records in the order of their slots, without gaps || trailer; integers little-endian.
 *
 * Header, 32 bytes:            Trailer = one entry per record, 96 bytes each:     then the footer, 80 bytes:
 *   0   8  magic "OCBRPACK"      0  56  the record's header again                   0   8  magic "OCBRTAIL"
 *   8   2  version, 1           56   8  offset of the record in the pack            8   2  version, 1
 *  10   1  kind: 1 data, 2 page 64  32  BLAKE3 of tag || ciphertext                10   1  kind
 *  11   5  zero                                                                    11   5  zero
 *  16  16  pack id                                                                 16  16  pack id
 *                                                                                  32   4  number of records
 *                                                                                  36   4  zero
 *                                                                                  40   8  size of the whole pack
 *                                                                                  48  32  BLAKE3 of entries || footer[0, 48)
 */
export const packHeaderBytes = 32;
export const trailerEntryBytes = 96;
export const footerBytes = 80;
/** Records that a pack may have; a reader refuses more before it allocates. */
export const maxRecords = 1 << 20;

const headerMagic = Buffer.from("OCBRPACK", "latin1");
const footerMagic = Buffer.from("OCBRTAIL", "latin1");

export interface PackContents {
  packId: Uint8Array;
  kind: RecordKind;
  entries: (PackEntry & { hash: Uint8Array })[];
}

function writeHead(into: Buffer, offset: number, magic: Buffer, kind: RecordKind, packId: Uint8Array): void {
  into.fill(0, offset, offset + 32);
  magic.copy(into, offset);
  into.writeUInt16LE(1, offset + 8);
  into[offset + 10] = kindCode(kind);
  into.set(packId, offset + 16);
}

export const writePackHeader = (into: Buffer, kind: RecordKind, packId: Uint8Array): void => writeHead(into, 0, headerMagic, kind, packId);

/** Writes entries and footer at `start`, where the last record ends. */
export function writeTrailer(into: Buffer, start: number, kind: RecordKind, packId: Uint8Array, entries: PackEntry[], hashes: Uint8Array[]): void {
  let at = start;
  for (const [index, entry] of entries.entries()) {
    into.copy(into, at, entry.offset, entry.offset + recordHeaderBytes);
    into.writeBigUInt64LE(BigInt(entry.offset), at + 56);
    into.set(hashes[index] as Uint8Array, at + 64);
    at += trailerEntryBytes;
  }
  writeHead(into, at, footerMagic, kind, packId);
  into.writeUInt32LE(entries.length, at + 32);
  into.writeUInt32LE(0, at + 36);
  into.writeBigUInt64LE(BigInt(at + footerBytes), at + 40);
  into.set(blake3(into.subarray(start, at + 48)), at + 48);
}

const corrupt = (what: string): RepositoryError => new RepositoryError("corruptPack", what);
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

function readHead(bytes: Buffer, at: number, magic: Buffer, what: string): { kind: RecordKind; packId: Uint8Array } {
  if (!bytes.subarray(at, at + 8).equals(magic)) throw corrupt(`${what} has no magic number`);
  const version = bytes.readUInt16LE(at + 8);
  if (version > 1) throw new RepositoryError("newerFormat", `${what} is of format ${version}`);
  const kind = bytes[at + 10];
  if (version !== 1 || (kind !== 1 && kind !== 2)) throw corrupt(`${what} has version ${version} and kind ${kind}`);
  for (let index = at + 11; index < at + 16; index++) if (bytes[index] !== 0) throw corrupt(`${what} has a reserved field in use`);
  return { kind: kind === 1 ? "data" : "page", packId: Uint8Array.prototype.slice.call(bytes, at + 16, at + 32) };
}

/** Bytes at the end of the pack that {@link readTrailer} needs, told from the last {@link footerBytes} of it. */
export function trailerLength(tail: Uint8Array, packSize: number): number {
  const bytes = asBuffer(tail);
  const at = bytes.length - footerBytes;
  if (at < 0 || packSize < packHeaderBytes + footerBytes || bytes.length > packSize)
    throw corrupt(`a pack of ${packSize} bytes, of which ${bytes.length} were read`);
  readHead(bytes, at, footerMagic, "the pack's footer");
  const count = bytes.readUInt32LE(at + 32);
  const length = count * trailerEntryBytes + footerBytes;
  if (count > maxRecords || packHeaderBytes + length + count * recordOverheadBytes > packSize)
    throw corrupt(`the pack's footer tells of ${count} records`);
  if (bytes.readUInt32LE(at + 36) !== 0) throw corrupt("the pack's footer has a reserved field in use");
  if (bytes.readBigUInt64LE(at + 40) !== BigInt(packSize))
    throw corrupt(`the pack's footer tells of ${bytes.readBigUInt64LE(at + 40)} bytes, not ${packSize}`);
  return length;
}

/**
 * The contents of a pack of `packSize` bytes, from its last bytes: at least {@link trailerLength} of them.
 * Errors: `corruptPack`, `newerFormat`.
 */
export function readTrailer(tail: Uint8Array, packSize: number): PackContents {
  const length = trailerLength(tail, packSize);
  if (tail.length < length) throw corrupt(`the pack's trailer has ${length} bytes, of which ${tail.length} were read`);
  const bytes = asBuffer(tail).subarray(tail.length - length);
  const footer = length - footerBytes;
  const { kind, packId } = readHead(bytes, footer, footerMagic, "the pack's footer");
  const name = hexOf(packId);
  if (!blake3(bytes.subarray(0, footer + 48)).equals(bytes.subarray(footer + 48)))
    throw corrupt(`the trailer of pack ${name} does not match its hash`);
  const entries: PackContents["entries"] = [];
  let expectedOffset = packHeaderBytes;
  for (let at = 0; at < footer; at += trailerEntryBytes) {
    const slot = entries.length;
    const header = readRecordHeader(bytes, at);
    if (typeof header === "string") throw corrupt(`entry ${slot} in the trailer of pack ${name} ${header}`);
    const recordLength = recordOverheadBytes + header.cipherLength;
    if (header.slot !== slot || header.kind !== kind || bytes.readBigUInt64LE(at + 56) !== BigInt(expectedOffset))
      throw corrupt(`entry ${slot} in the trailer of pack ${name} is out of place`);
    const { id, plainLength, compressed } = header;
    entries.push({
      id,
      slot,
      offset: expectedOffset,
      length: recordLength,
      plainLength,
      compressed,
      hash: Uint8Array.prototype.slice.call(bytes, at + 64, at + 96),
    });
    expectedOffset += recordLength;
  }
  if (expectedOffset !== packSize - length) throw corrupt(`the records of pack ${name} do not fill it`);
  return { packId, kind, entries };
}

/**
 * The contents of a pack whose trailer is lost or damaged: its records from the front, as far as their headers can be followed.
 * What was found is not verified beyond the headers; opening a record verifies it. Errors: `corruptPack`, `newerFormat` for the pack's own header.
 */
export function scanPack(pack: Uint8Array): PackContents {
  const bytes = asBuffer(pack);
  if (bytes.length < packHeaderBytes) throw corrupt(`a pack of ${bytes.length} bytes`);
  const { kind, packId } = readHead(bytes, 0, headerMagic, "the pack");
  const entries: PackContents["entries"] = [];
  let offset = packHeaderBytes;
  while (offset < bytes.length) {
    const header = readRecordHeader(bytes, offset);
    if (typeof header === "string" || header.kind !== kind || header.slot !== entries.length) break;
    const length = recordOverheadBytes + header.cipherLength;
    if (offset + length > bytes.length) break;
    const { id, slot, plainLength, compressed } = header;
    entries.push({ id, slot, offset, length, plainLength, compressed, hash: blake3(bytes.subarray(offset + recordHeaderBytes, offset + length)) });
    offset += length;
  }
  return { packId, kind, entries };
}

/** Verifies a whole pack without any key: header, trailer, and the hash of every ciphertext. `damaged` lists the records that fail. */
export function verifyPackCiphertext(pack: Uint8Array): PackContents & { damaged: { slot: number; reason: string }[] } {
  const bytes = asBuffer(pack);
  const contents = readTrailer(bytes, bytes.length);
  const head = readHead(bytes, 0, headerMagic, "the pack");
  if (head.kind !== contents.kind || Buffer.compare(head.packId, contents.packId) !== 0)
    throw corrupt(`the header of pack ${hexOf(contents.packId)} is another pack's`);
  const damaged: { slot: number; reason: string }[] = [];
  const trailerStart = bytes.length - footerBytes - contents.entries.length * trailerEntryBytes;
  for (const entry of contents.entries) {
    const inTrailer = trailerStart + entry.slot * trailerEntryBytes;
    if (bytes.compare(bytes, inTrailer, inTrailer + recordHeaderBytes, entry.offset, entry.offset + recordHeaderBytes) !== 0)
      damaged.push({ slot: entry.slot, reason: "header differs from the trailer's" });
    else if (!blake3(bytes.subarray(entry.offset + recordHeaderBytes, entry.offset + entry.length)).equals(entry.hash))
      damaged.push({ slot: entry.slot, reason: "ciphertext does not match its hash" });
  }
  return { ...contents, damaged };
}
