/**
 * Codec of the change log: what was written to a disk of our own, in order. Numbers are little-endian.
 *
 *   log     header || entries
 *   header  "OCBRCHG1" || granule u32 (bytes) || crc u32                                  16 bytes
 *   entry   kind u32 || crc u32 || body                                                  40 bytes
 *     1 frozen   token (16 bytes) || 16 zeros      a backup was taken of what was written before
 *     2 changed  offset u64 || length u64 || 16 zeros   about to be written; durable before the first byte is
 *     3 settled  inode u64 || size u64 || mtime i64 || ctime i64   the last entry, while nobody writes: what the file looks like (nanoseconds);
 *                the next entry takes its place
 *
 * crc is the CRC-32 of kind and body, begun with the crc before it: what is changed, missing or out of place breaks the chain.
 */
import { crc32 } from "node:zlib";
import type { Extent } from "./source.ts";

export interface FileStamp {
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

export type ChangeEntry = ({ kind: "changed" } & Extent) | { kind: "frozen"; token: string } | ({ kind: "settled" } & FileStamp);

export interface ChangeLog {
  /** Ranges are told in multiples of this, bytes. */
  granuleBytes: number;
  entries: ChangeEntry[];
  /** Where the crc of the last entry began: of the one that takes its place. */
  crcBeforeLast: number;
}

export const headerBytes = 16;
export const entryBytes = 40;
const magic = Buffer.from("OCBRCHG1");
const kinds = ["", "frozen", "changed", "settled"] as const;

/** Bytes of entries that follow those whose last crc is `crc`. */
export function encodeEntries(entries: readonly ChangeEntry[], crc: number): { bytes: Buffer; crc: number } {
  const bytes = Buffer.alloc(entries.length * entryBytes);
  let last = crc;
  for (const [at, entry] of entries.entries()) {
    const into = bytes.subarray(at * entryBytes, (at + 1) * entryBytes);
    into.writeUInt32LE(kinds.indexOf(entry.kind), 0);
    const body = into.subarray(8);
    if (entry.kind === "frozen") body.write(entry.token.replaceAll("-", ""), 0, 16, "hex");
    else if (entry.kind === "changed") {
      body.writeBigUInt64LE(BigInt(entry.offset), 0);
      body.writeBigUInt64LE(BigInt(entry.length), 8);
    } else {
      body.writeBigUInt64LE(entry.ino, 0);
      body.writeBigUInt64LE(entry.size, 8);
      body.writeBigInt64LE(entry.mtimeNs, 16);
      body.writeBigInt64LE(entry.ctimeNs, 24);
    }
    last = crcOf(into, last);
    into.writeUInt32LE(last, 4);
  }
  return { bytes, crc: last };
}

export function encodeLog(granuleBytes: number, entries: readonly ChangeEntry[]): { bytes: Buffer; crc: number } {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32LE(granuleBytes, 8);
  const headerCrc = crc32(header.subarray(0, 12));
  header.writeUInt32LE(headerCrc, 12);
  const { bytes, crc } = encodeEntries(entries, headerCrc);
  return { bytes: Buffer.concat([header, bytes]), crc };
}

/** What a log says; undefined when one bit of it is not as it was written. */
export function decodeLog(bytes: Buffer): ChangeLog | undefined {
  if (bytes.length < headerBytes || (bytes.length - headerBytes) % entryBytes !== 0) return undefined;
  const granuleBytes = bytes.readUInt32LE(8);
  let crc = crc32(bytes.subarray(0, 12));
  if (!bytes.subarray(0, 8).equals(magic) || crc !== bytes.readUInt32LE(12) || granuleBytes === 0) return undefined;
  let crcBeforeLast = crc;
  const entries: ChangeEntry[] = [];
  for (let at = headerBytes; at < bytes.length; at += entryBytes) {
    const from = bytes.subarray(at, at + entryBytes);
    crcBeforeLast = crc;
    crc = crcOf(from, crc);
    const entry = crc === from.readUInt32LE(4) ? decodeEntry(from) : undefined;
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  return { granuleBytes, entries, crcBeforeLast };
}

const crcOf = (entry: Buffer, before: number): number => crc32(entry.subarray(8), crc32(entry.subarray(0, 4), before));

function decodeEntry(from: Buffer): ChangeEntry | undefined {
  const body = from.subarray(8);
  switch (kinds[from.readUInt32LE(0)]) {
    case "frozen":
      return { kind: "frozen", token: uuidOf(body.subarray(0, 16)) };
    case "changed": {
      const [offset, length] = [Number(body.readBigUInt64LE(0)), Number(body.readBigUInt64LE(8))];
      return Number.isSafeInteger(offset + length) ? { kind: "changed", offset, length } : undefined;
    }
    case "settled":
      return {
        kind: "settled",
        ino: body.readBigUInt64LE(0),
        size: body.readBigUInt64LE(8),
        mtimeNs: body.readBigInt64LE(16),
        ctimeNs: body.readBigInt64LE(24),
      };
    default:
      return undefined;
  }
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
