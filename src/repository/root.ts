import { createCipheriv, createDecipheriv } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { systemRandom } from "#platform/random.ts";
import type { Random } from "#platform/random.ts";
import { RepositoryError } from "./engine-types.ts";
import type { RootDescription } from "./engine-types.ts";
import { keyedHash, rootKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf } from "./layout.ts";
import { pageChunks } from "./page.ts";
import { decompress, zstdBound } from "./record.ts";

/*
 * Root object `t/<tenant>/roots/<backup id>`; integers little-endian:
 *
 *   0   8  magic "OCBRROOT"                    Payload, zstd'd and then AES-256-GCM:
 *   8   2  version, 1                            0   8  size of the disk in bytes
 *  10   2  T, length of the tenant's name        8   4  bytes per chunk
 *  12   2  B, length of the backup's id         12   4  P, number of pages
 *  14   2  zero                                 16  32  Merkle root
 *  16  16  salt, random                         48   4  J, length of the JSON text
 *  32   4  length of the payload                52   J  JSON: {"baseId", "statistics", "document"}
 *  36   4  N, length of the ciphertext           ·   ·  page ids: groups of holes (4), N (4), N × 32 until P places are
 *  40   T  tenant                                       filled, canonical as within a page
 *   ·   B  backup id
 *   ·  16  tag                                 Key = derive(one root, salt); nonce = 12 zero bytes;
 *   ·   N  ciphertext                          additional data = everything before the tag.
 *
 * Merkle root = BLAKE3 keyed with the tenant's page id key of 0xff || "root" || size (8) || bytes per chunk (4) || P (4) || P × 32.
 */
export interface Root {
  tenant: string;
  backupId: string;
  baseId: string | null;
  sizeBytes: number;
  /** A power of two, 64 KiB to 4 MiB. */
  chunkBytes: number;
  /** 32 bytes per page in the order of the disk; zeros for a page without data. */
  pageIds: Uint8Array;
  /** Hex, 32 bytes. */
  merkleRoot: string;
  statistics: RootDescription["statistics"];
  /** The complete backup document, JSON. */
  document: unknown;
}

const magic = Buffer.from("OCBRROOT", "latin1");
const fixedBytes = 40;
const payloadFixedBytes = 52;
/** Limits a reader enforces before it allocates. */
const maxPayloadBytes = 256 << 20;
const maxPages = 1 << 22;
export const minChunkBytes = 64 << 10;
export const maxChunkBytes = 4 << 20;

/** Number of pages of a disk. */
export const pageCountOf = (sizeBytes: number, chunkBytes: number): number => Math.ceil(Math.ceil(sizeBytes / chunkBytes) / pageChunks);

export const isChunkSize = (value: number): boolean => value >= minChunkBytes && value <= maxChunkBytes && Number.isInteger(Math.log2(value));

/** Merkle root over page ids, 32 bytes: the same for the same content of the same tenant at the same chunk size. */
export function merkleRootOf(keys: TenantKeys, sizeBytes: number, chunkBytes: number, pageIds: Uint8Array): Uint8Array {
  const head = Buffer.alloc(21);
  head[0] = 0xff;
  head.write("root", 1, "latin1");
  head.writeBigUInt64LE(BigInt(sizeBytes), 5);
  head.writeUInt32LE(chunkBytes, 13);
  head.writeUInt32LE(pageIds.length / 32, 17);
  return keyedHash(keys.pageId, Buffer.concat([head, pageIds]));
}

function isHole(ids: Uint8Array, place: number): boolean {
  for (let at = place * 32; at < place * 32 + 32; at++) if (ids[at] !== 0) return false;
  return true;
}

function encodeIds(ids: Uint8Array): Buffer[] {
  const parts: Buffer[] = [];
  const count = ids.length / 32;
  for (let place = 0; place < count;) {
    const start = place;
    while (place < count && isHole(ids, place)) place++;
    const firstId = place;
    while (place < count && !isHole(ids, place)) place++;
    const head = Buffer.alloc(8);
    head.writeUInt32LE(firstId - start);
    head.writeUInt32LE(place - firstId, 4);
    parts.push(head, Buffer.from(ids.buffer, ids.byteOffset + firstId * 32, (place - firstId) * 32));
  }
  return parts;
}

function decodeIds(bytes: Buffer, start: number, count: number): Uint8Array | string {
  const ids = new Uint8Array(count * 32);
  let at = start;
  for (let place = 0; place < count;) {
    if (at + 8 > bytes.length) return "is cut short";
    const holes = bytes.readUInt32LE(at);
    const run = bytes.readUInt32LE(at + 4);
    const firstId = place + holes;
    const end = firstId + run;
    if (end > count) return "has too many pages";
    if ((holes === 0 && place > 0) || (run === 0 && end < count)) return "is not in its canonical form";
    if (at + 8 + run * 32 > bytes.length) return "is cut short";
    ids.set(bytes.subarray(at + 8, at + 8 + run * 32), firstId * 32);
    for (let index = firstId; index < end; index++) if (isHole(ids, index)) return "has a page id of zeros";
    at += 8 + run * 32;
    place = end;
  }
  return at === bytes.length ? ids : "has bytes behind its end";
}

/** The root object of a backup; its Merkle root is computed here. `invalidRequest` when the parameters contradict each other. */
export function sealRoot(keys: TenantKeys, root: Omit<Root, "merkleRoot">, random: Random = systemRandom): Uint8Array {
  const { sizeBytes, chunkBytes, pageIds } = root;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new RepositoryError("invalidRequest", `sizeBytes ${sizeBytes} is not a size`);
  if (!isChunkSize(chunkBytes)) throw new RepositoryError("invalidRequest", `chunkBytes ${chunkBytes} is not a power of two from 64 KiB to 4 MiB`);
  if (pageCountOf(sizeBytes, chunkBytes) > maxPages)
    throw new RepositoryError("invalidRequest", `sizeBytes ${sizeBytes} needs larger chunks than ${chunkBytes}`);
  if (pageIds.length !== pageCountOf(sizeBytes, chunkBytes) * 32)
    throw new RepositoryError("invalidRequest", `${pageIds.length / 32} page ids for ${pageCountOf(sizeBytes, chunkBytes)} pages`);
  const json = Buffer.from(JSON.stringify({ baseId: root.baseId, statistics: root.statistics, document: root.document ?? null }), "utf8");
  const fixed = Buffer.alloc(payloadFixedBytes);
  fixed.writeBigUInt64LE(BigInt(sizeBytes));
  fixed.writeUInt32LE(chunkBytes, 8);
  fixed.writeUInt32LE(pageIds.length / 32, 12);
  fixed.set(merkleRootOf(keys, sizeBytes, chunkBytes, pageIds), 16);
  fixed.writeUInt32LE(json.length, 48);
  const payload = Buffer.concat([fixed, json, ...encodeIds(pageIds)]);
  if (payload.length > maxPayloadBytes)
    throw new RepositoryError("invalidRequest", `a root object of ${payload.length} bytes: at most ${maxPayloadBytes}`);
  const packed = zstdCompressSync(payload, { chunkSize: zstdBound(payload.length), params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  const tenant = Buffer.from(root.tenant, "utf8");
  const backupId = Buffer.from(root.backupId, "utf8");
  const salt = random.bytes(16);
  const header = Buffer.alloc(fixedBytes);
  magic.copy(header);
  header.writeUInt16LE(1, 8);
  header.writeUInt16LE(tenant.length, 10);
  header.writeUInt16LE(backupId.length, 12);
  header.set(salt, 16);
  header.writeUInt32LE(payload.length, 32);
  header.writeUInt32LE(packed.length, 36);
  const clear = Buffer.concat([header, tenant, backupId]);
  const cipher = createCipheriv("aes-256-gcm", rootKey(keys, salt), Buffer.alloc(12)).setAAD(clear);
  const ciphertext = cipher.update(packed);
  cipher.final();
  return Buffer.concat([clear, cipher.getAuthTag(), ciphertext]);
}

/** What a root object says, verified down to the Merkle root. Errors: `corruptRoot`, `newerFormat`; the message tells tenant and backup. */
export function openRoot(keys: TenantKeys, object: Uint8Array, expected: { tenant: string; backupId: string }): Root {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.length);
  const name = `the root object of backup ${expected.backupId} of tenant ${expected.tenant}`;
  const corrupt = (what: string, cause?: unknown): RepositoryError => new RepositoryError("corruptRoot", `${name} ${what}`, cause);
  if (bytes.length < fixedBytes || !bytes.subarray(0, 8).equals(magic)) throw corrupt("has no magic number");
  const version = bytes.readUInt16LE(8);
  if (version > 1) throw new RepositoryError("newerFormat", `${name} is of format ${version}`);
  if (version !== 1 || bytes.readUInt16LE(14) !== 0) throw corrupt(`has version ${version}, or a reserved field in use`);
  const tenantEnd = fixedBytes + bytes.readUInt16LE(10);
  const clearEnd = tenantEnd + bytes.readUInt16LE(12);
  const payloadLength = bytes.readUInt32LE(32);
  if (payloadLength > maxPayloadBytes || payloadLength < payloadFixedBytes) throw corrupt(`tells of a payload of ${payloadLength} bytes`);
  if (bytes.length !== clearEnd + 16 + bytes.readUInt32LE(36)) throw corrupt("has a wrong length");
  const tenant = bytes.toString("utf8", fixedBytes, tenantEnd);
  const backupId = bytes.toString("utf8", tenantEnd, clearEnd);
  if (tenant !== expected.tenant || backupId !== expected.backupId) throw corrupt(`is that of backup ${backupId} of tenant ${tenant}`);
  const decipher = createDecipheriv("aes-256-gcm", rootKey(keys, bytes.subarray(16, 32)), Buffer.alloc(12), { authTagLength: 16 });
  decipher.setAAD(bytes.subarray(0, clearEnd)).setAuthTag(bytes.subarray(clearEnd, clearEnd + 16));
  const packed = decipher.update(bytes.subarray(clearEnd + 16));
  try {
    decipher.final();
  } catch (cause) {
    throw corrupt("does not authenticate", cause);
  }
  let payload: Buffer;
  try {
    payload = Buffer.from(decompress(packed, payloadLength));
  } catch (cause) {
    throw corrupt("does not decompress to its length", cause);
  }
  return { tenant, backupId, ...readPayload(keys, payload, corrupt) };
}

function readPayload(
  keys: TenantKeys,
  payload: Buffer,
  corrupt: (what: string, cause?: unknown) => RepositoryError,
): Omit<Root, "tenant" | "backupId"> {
  const sizeBytes = Number(payload.readBigUInt64LE());
  const chunkBytes = payload.readUInt32LE(8);
  const pageCount = payload.readUInt32LE(12);
  if (!Number.isSafeInteger(sizeBytes) || !isChunkSize(chunkBytes)) throw corrupt(`tells of ${sizeBytes} bytes in chunks of ${chunkBytes}`);
  if (pageCount > maxPages || pageCount !== pageCountOf(sizeBytes, chunkBytes)) throw corrupt(`tells of ${pageCount} pages for ${sizeBytes} bytes`);
  const jsonEnd = payloadFixedBytes + payload.readUInt32LE(48);
  if (jsonEnd > payload.length) throw corrupt("is cut short");
  let json: { baseId: string | null; statistics: Root["statistics"]; document: unknown } | null;
  try {
    json = JSON.parse(payload.toString("utf8", payloadFixedBytes, jsonEnd));
  } catch (cause) {
    throw corrupt("has a document that is not JSON", cause);
  }
  if (json === null || typeof json !== "object" || (json.baseId !== null && typeof json.baseId !== "string")) throw corrupt("has no base id");
  if (json.statistics === null || typeof json.statistics !== "object") throw corrupt("has no statistics");
  const pageIds = decodeIds(payload, jsonEnd, pageCount);
  if (typeof pageIds === "string") throw corrupt(pageIds);
  const merkleRoot = payload.subarray(16, 48);
  if (!merkleRoot.equals(merkleRootOf(keys, sizeBytes, chunkBytes, pageIds))) throw corrupt("does not match its Merkle root");
  return { baseId: json.baseId, sizeBytes, chunkBytes, pageIds, merkleRoot: hexOf(merkleRoot), statistics: json.statistics, document: json.document };
}
