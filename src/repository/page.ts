import { RepositoryError } from "./engine-types.ts";
import { keyedHash } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";

/*
 * One page of a manifest: the ids of 1,024 chunks in the order of the disk; integers little-endian:
 *
 *   0  1  version, 1
 *   1  ·  groups until 1,024 places are filled:
 *           2  holes: places without data
 *           2  N, number of ids that follow
 *           N × 32  ids
 *
 * One content has one encoding: only the first group may have no holes, only the last no ids, and no id is all zeros.
 * The places behind the end of the disk are holes. A page's id is the BLAKE3 of this encoding, keyed with the tenant's page id key.
 */
export const pageChunks = 1024;
/** Bytes of a page in its flat form: 32 per chunk, all zero for a hole. */
export const flatPageBytes = pageChunks * 32;

export const maxEncodedPageBytes = 1 + (pageChunks / 2) * (4 + 32) + (pageChunks / 2) * 32;

function isHole(words: BigUint64Array, index: number): boolean {
  return words[index * 4] === 0n && words[index * 4 + 1] === 0n && words[index * 4 + 2] === 0n && words[index * 4 + 3] === 0n;
}

const wordsOf = (flat: Uint8Array): BigUint64Array =>
  flat.byteOffset % 8 === 0 ? new BigUint64Array(flat.buffer, flat.byteOffset, flat.length / 8) : new BigUint64Array(new Uint8Array(flat).buffer);

function checkFlat(flat: Uint8Array): void {
  if (flat.length !== flatPageBytes) throw new RepositoryError("invalidRequest", `a page has ${flatPageBytes} bytes, not ${flat.length}`);
}

/** True when no place of the page has data. Such a page is not stored; its id is 32 zero bytes. */
export function isHolePage(flat: Uint8Array): boolean {
  checkFlat(flat);
  return wordsOf(flat).every((word) => word === 0n);
}

/** Canonical encoding of a flat page of {@link flatPageBytes}. */
export function encodePage(flat: Uint8Array): Uint8Array {
  checkFlat(flat);
  const words = wordsOf(flat);
  const into = Buffer.allocUnsafe(maxEncodedPageBytes);
  into[0] = 1;
  let at = 1;
  let place = 0;
  while (place < pageChunks) {
    const start = place;
    while (place < pageChunks && isHole(words, place)) place++;
    const firstId = place;
    while (place < pageChunks && !isHole(words, place)) place++;
    into.writeUInt16LE(firstId - start, at);
    into.writeUInt16LE(place - firstId, at + 2);
    into.set(flat.subarray(firstId * 32, place * 32), at + 4);
    at += 4 + (place - firstId) * 32;
  }
  return Uint8Array.prototype.slice.call(into, 0, at);
}

/** The flat form of an encoded page. Anything but the canonical encoding is `corruptPage`; a later version is `newerFormat`. */
export function decodePage(encoded: Uint8Array): Uint8Array {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  const corrupt = (what: string): RepositoryError => new RepositoryError("corruptPage", `a manifest page ${what}`);
  if (bytes.length < 1) throw corrupt("is empty");
  if (bytes[0]! > 1) throw new RepositoryError("newerFormat", `a manifest page is of version ${bytes[0]}`);
  if (bytes[0] !== 1) throw corrupt("has version 0");
  const flat = new Uint8Array(flatPageBytes);
  const words = wordsOf(flat);
  let at = 1;
  let place = 0;
  while (place < pageChunks) {
    if (at + 4 > bytes.length) throw corrupt("is cut short");
    const holes = bytes.readUInt16LE(at);
    const ids = bytes.readUInt16LE(at + 2);
    const firstId = place + holes;
    const end = firstId + ids;
    if (end > pageChunks) throw corrupt("has too many places");
    if ((holes === 0 && place > 0) || (ids === 0 && end < pageChunks)) throw corrupt("is not in its canonical form");
    if (at + 4 + ids * 32 > bytes.length) throw corrupt("is cut short");
    flat.set(bytes.subarray(at + 4, at + 4 + ids * 32), firstId * 32);
    for (let index = firstId; index < end; index++) if (isHole(words, index)) throw corrupt("has an id of zeros");
    at += 4 + ids * 32;
    place = end;
  }
  if (at !== bytes.length) throw corrupt("has bytes behind its end");
  return flat;
}

export const pageIdOf = (keys: TenantKeys, encoded: Uint8Array): Uint8Array => keyedHash(keys.pageId, encoded);
