import { createHash } from "node:crypto";
import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import { keyedHash, offerKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { decodePage, encodePage, flatPageBytes, pageChunks } from "./page.ts";
import { isChunkSize, pageCountOf } from "./root.ts";
import type { Root } from "./root.ts";

/*
 * How a backup is read by somebody who copies it, piece by piece; docs/format/replication.md has the bytes. A piece is named by a reference: a keyed
 * hash of its id in this store, under a key that only this tenant has and that differs for each audience. Equal pieces have equal references, so
 * the other side knows what it has already without either side learning a key of the other.
 */

/** What is told of a backup before any piece of it. */
export interface Offer {
  sizeBytes: number;
  chunkBytes: number;
  /** Bytes of the image that are not zero. */
  dataBytes: number;
  /** A reference for each page of the manifest in the order of the disk, 32 bytes each; zeros where there are only holes. */
  pages: Uint8Array;
  /** SHA-256 of all of the above, hex: the copy must be made of exactly these. */
  digest: string;
}

/** One part of a backup, as it is asked for. Chunks are numbered from the start of the disk. */
export type OfferPart = { kind: "offer" } | { kind: "page"; page: number } | { kind: "chunks"; chunks: readonly number[] };

/** Most plain bytes that one answer with chunks holds. */
export const maxOfferedBytes = 4 * 1024 * 1024;
const magic = Buffer.from("OCBO", "latin1");
const headBytes = 64;
const checkBytes = 32;
const chunkHeadBytes = 72;

const isHole = (refs: Uint8Array, at: number): boolean => {
  for (let byte = at * 32; byte < at * 32 + 32; byte++) if (refs[byte] !== 0) return false;
  return true;
};

/** Places whose 32 bytes are not all zero. */
export function placesWithData(refs: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = 0; at * 32 < refs.length; at++) if (!isHole(refs, at)) places.push(at);
  return places;
}

/** Reads one backup for one audience: the source's side. Everything is verified as it is read. */
export class BackupOffer {
  readonly #reader: RepositoryReader;
  readonly #tenant: string;
  readonly #keys: TenantKeys;
  readonly #root: Root;
  readonly #key: Uint8Array | undefined;

  /** Without an `audience` the references are the ids themselves: for a copy within the tenant. */
  constructor(reader: RepositoryReader, tenant: string, keys: TenantKeys, root: Root, audience: string | undefined) {
    this.#reader = reader;
    this.#tenant = tenant;
    this.#keys = keys;
    this.#root = root;
    this.#key = audience === undefined ? undefined : offerKey(keys, audience);
  }

  describe(): Offer {
    const { sizeBytes, chunkBytes, pageIds, statistics } = this.#root;
    const offer = { sizeBytes, chunkBytes, dataBytes: statistics.dataBytes, pages: this.#refsOf(pageIds) };
    return { ...offer, digest: digestOf(offer) };
  }

  /** References of a page's chunks, 32 bytes each, zeros for holes. */
  async list(page: number): Promise<Uint8Array> {
    if (!Number.isSafeInteger(page) || page < 0 || page * 32 >= this.#root.pageIds.length)
      throw new RepositoryError("invalidRequest", `page ${page} is not one of backup ${this.#root.backupId}`);
    const flat = await this.#reader.pageOf(this.#tenant, this.#keys, this.#root.pageIds, page);
    return flat === undefined ? new Uint8Array(flatPageBytes) : this.#refsOf(flat);
  }

  async chunk(chunk: number): Promise<Uint8Array> {
    const { id, plainLength } = await this.#find(chunk);
    return this.#reader.chunk(this.#tenant, this.#keys, id, plainLength);
  }

  /** A part as it travels. */
  async part(part: OfferPart): Promise<Uint8Array> {
    if (part.kind === "offer") return encodeOffer(this.describe());
    if (part.kind === "page") {
      const ref = this.#ref(this.#root.pageIds.subarray(part.page * 32, part.page * 32 + 32));
      const encoded = encodePage(await this.list(part.page));
      return Buffer.concat([keyedHash(ref, encoded), encoded]);
    }
    if (part.chunks.length * this.#root.chunkBytes > maxOfferedBytes)
      throw new RepositoryError("invalidRequest", `chunks: at most ${maxOfferedBytes} bytes at a time`);
    const parts: Uint8Array[] = [];
    for (const chunk of part.chunks) {
      const { id, plainLength } = await this.#find(chunk);
      const ref = this.#ref(id);
      const payload = await this.#reader.packed(this.#tenant, this.#keys, id, plainLength);
      const head = Buffer.alloc(chunkHeadBytes);
      head.set(ref);
      head.set(keyedHash(ref, payload), 32);
      head.writeUInt32LE(plainLength, 64);
      head.writeUInt32LE(payload.length, 68);
      parts.push(head, payload);
    }
    return Buffer.concat(parts);
  }

  async #find(chunk: number): Promise<{ id: Uint8Array; plainLength: number }> {
    const { sizeBytes, chunkBytes, pageIds, backupId } = this.#root;
    const inside = Number.isSafeInteger(chunk) && chunk >= 0 && chunk * chunkBytes < sizeBytes;
    const flat = inside ? await this.#reader.pageOf(this.#tenant, this.#keys, pageIds, Math.floor(chunk / pageChunks)) : undefined;
    const at = chunk % pageChunks;
    if (flat === undefined || isHole(flat, at)) throw new RepositoryError("invalidRequest", `chunk ${chunk} of backup ${backupId} has no data`);
    return { id: flat.subarray(at * 32, at * 32 + 32), plainLength: Math.min(chunkBytes, sizeBytes - chunk * chunkBytes) };
  }

  #ref(id: Uint8Array): Uint8Array {
    return this.#key === undefined ? id.slice() : keyedHash(this.#key, id);
  }

  #refsOf(ids: Uint8Array): Uint8Array {
    if (this.#key === undefined) return ids;
    const refs = new Uint8Array(ids.length);
    for (const at of placesWithData(ids)) refs.set(this.#ref(ids.subarray(at * 32, at * 32 + 32)), at * 32);
    return refs;
  }
}

function headOf({ sizeBytes, chunkBytes, dataBytes, pages }: Omit<Offer, "digest">): Buffer {
  const head = Buffer.alloc(32);
  magic.copy(head);
  head[4] = 1;
  head.writeBigUInt64LE(BigInt(sizeBytes), 8);
  head.writeUInt32LE(chunkBytes, 16);
  head.writeUInt32LE(pages.length / 32, 20);
  head.writeBigUInt64LE(BigInt(dataBytes), 24);
  return head;
}

export const digestOf = (offer: Omit<Offer, "digest">): string => createHash("sha256").update(headOf(offer)).update(offer.pages).digest("hex");

const encodeOffer = (offer: Offer): Uint8Array => Buffer.concat([headOf(offer), Buffer.from(offer.digest, "hex"), offer.pages]);

const damaged = (what: string): RepositoryError => new RepositoryError("originDamaged", `what came from the source ${what}`);

/** Undoes {@link BackupOffer.part} of the offer. `originDamaged` for anything that is not an offer, or not the one that was sent. */
export function decodeOffer(answer: Uint8Array): Offer {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
  if (bytes.length < headBytes || !bytes.subarray(0, 4).equals(magic)) throw damaged("is no description of a backup");
  if (bytes[4] !== 1) throw damaged(`is a description of version ${bytes[4]}`);
  const offer = {
    sizeBytes: Number(bytes.readBigUInt64LE(8)),
    chunkBytes: bytes.readUInt32LE(16),
    dataBytes: Number(bytes.readBigUInt64LE(24)),
    pages: new Uint8Array(bytes.subarray(headBytes)),
  };
  const isSound = Number.isSafeInteger(offer.sizeBytes) && isChunkSize(offer.chunkBytes) && offer.dataBytes <= offer.sizeBytes;
  if (!isSound || offer.pages.length !== pageCountOf(offer.sizeBytes, offer.chunkBytes) * 32) throw damaged("describes no possible backup");
  const digest = digestOf(offer);
  if (digest !== bytes.toString("hex", 32, headBytes)) throw damaged("is a description that failed its verification");
  return { ...offer, digest };
}

/** The references of a page's chunks, verified against the page's own. */
export function decodeList(answer: Uint8Array, pageRef: Uint8Array): Uint8Array {
  const encoded = answer.subarray(checkBytes);
  if (!Buffer.from(keyedHash(pageRef, encoded)).equals(answer.subarray(0, checkBytes))) throw damaged("is a list that failed its verification");
  return decodePage(encoded);
}

/** Chunks as they travel: each must be the one that was asked for, with the bytes that were sent. `plainOf` undoes the compression. */
export function* decodeChunks(
  answer: Uint8Array,
  wanted: readonly { ref: Uint8Array; plainLength: number }[],
): Generator<{ payload: Uint8Array; compressed: boolean; plainLength: number }> {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
  let at = 0;
  for (const { ref, plainLength } of wanted) {
    const start = at + chunkHeadBytes;
    if (start > bytes.length) throw damaged("ends before the last piece");
    const payload = bytes.subarray(start, start + bytes.readUInt32LE(at + 68));
    const isIt = bytes.subarray(at, at + 32).equals(ref) && bytes.readUInt32LE(at + 64) === plainLength && payload.length <= plainLength;
    if (!isIt) throw damaged("is not the piece that was asked for");
    if (!bytes.subarray(at + 32, at + 64).equals(keyedHash(ref, payload))) throw damaged("is a piece that failed its verification");
    yield { payload, compressed: payload.length < plainLength, plainLength };
    at = start + payload.length;
  }
  if (at !== bytes.length) throw damaged("goes on behind the last piece");
}
