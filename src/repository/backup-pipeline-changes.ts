import type { Random } from "#platform/random.ts";
import type { Extent, Source } from "#sources/source.ts";
import { ChunkMap } from "./backup-pipeline-chunks.ts";
import { ChunkHasher } from "./chunk-id.ts";
import type { BackupOutcome } from "./engine-types.ts";
import type { TenantKeys } from "./keys.ts";
import { pageChunks } from "./page.ts";
import type { Root } from "./root.ts";

/** At most so many chunks that are said to be unchanged, and so many bytes of them, are read again each time. */
const SAMPLE_CHUNKS = 32;
const SAMPLE_BYTES = 8 * 1024 * 1024;

/** The base as far as a list of changes is judged against it. */
export interface ChangeBase {
  pageIds: Uint8Array;
  /** The flat page at this place; undefined where there are only holes. */
  pageOf(page: number): Promise<Uint8Array | undefined>;
}

/** A list of changes that is believed. */
export interface Changes {
  /** Every other chunk is the base's. */
  touched: ChunkMap;
  base: Root;
}

/**
 * Decides whether the request's list of changes is to be believed: there is a base, the disk has not become shorter, and a sample of what is said
 * to be unchanged agrees. What the base has lost, and what lies behind its end, counts as changed.
 */
export async function judgeChanges(request: {
  changedExtents?: readonly Extent[];
  chunkBytes: number;
  source: Source;
  base: { root: Root | undefined; lost: readonly Extent[] };
  pageOf: ChangeBase["pageOf"];
  keys: TenantKeys;
  random: Random;
}): Promise<{ changes: Changes | undefined; changeList: BackupOutcome["changeList"]; sampledBytes: number }> {
  const { changedExtents, chunkBytes, source, keys, random } = request;
  const { root, lost } = request.base;
  if (changedExtents === undefined || root === undefined || source.sizeBytes < root.sizeBytes)
    return { changes: undefined, changeList: "none", sampledBytes: 0 };
  const grown = Math.floor(root.sizeBytes / chunkBytes) * chunkBytes;
  const beyond = source.sizeBytes > root.sizeBytes ? [{ offset: grown, length: source.sizeBytes - grown }] : [];
  const touched = new ChunkMap(source.sizeBytes, chunkBytes, changedExtents, lost, beyond);
  const base = { pageIds: root.pageIds, pageOf: request.pageOf };
  const { readBytes, mismatchAt } = await sampleUnchanged({ source, base, touched, keys, random, chunkBytes });
  if (mismatchAt !== undefined) return { changes: undefined, changeList: "refused", sampledBytes: readBytes };
  return { changes: { touched, base: root }, changeList: "used", sampledBytes: readBytes };
}

/** Pages with a touched chunk, and those that cannot be referred to as they are; ascending. */
export function pagesToVisit({ touched, base }: Changes, isReusable: (pageId: Uint8Array) => boolean): number[] {
  const pages = new Set(touched.pages());
  for (const page of pagesWithData(base.pageIds))
    if (!pages.has(page) && !isReusable(base.pageIds.subarray(page * 32, page * 32 + 32))) pages.add(page);
  return [...pages].sort((a, b) => a - b);
}

/** Of the touched chunks those that hold data: the others have become holes. */
export function* allocatedAmong(touched: ChunkMap, source: Source, chunkBytes: number): Generator<Extent> {
  for (const range of touched.extents(chunkBytes)) yield* source.allocatedExtents(range);
}

/**
 * Reads a few chunks that are said to be unchanged and compares them with the base: half of them among what the base has, half where the source has
 * data. Tells what was read, and where the first one lies that has changed nevertheless.
 */
async function sampleUnchanged({
  source,
  base,
  touched,
  keys,
  random,
  chunkBytes,
}: {
  source: Source;
  base: ChangeBase;
  touched: ChunkMap;
  keys: TenantKeys;
  random: Random;
  chunkBytes: number;
}): Promise<{ readBytes: number; mismatchAt: number | undefined }> {
  const wanted = Math.max(2, Math.min(SAMPLE_CHUNKS, Math.floor(SAMPLE_BYTES / chunkBytes)));
  const chosen = new Set<number>();
  const below = (limit: number): number => Number(Buffer.from(random.bytes(8)).readBigUInt64LE() % BigInt(limit));
  const pages = pagesWithData(base.pageIds);
  for (let n = 0; n < wanted / 2 && pages.length > 0; n++) {
    const page = pages[below(pages.length)]!;
    const chunks = chunksWithData(page, await base.pageOf(page));
    const chunk = chunks.length === 0 ? undefined : chunks[below(chunks.length)];
    if (chunk !== undefined && !touched.has(chunk)) chosen.add(chunk);
  }
  for (let n = 0; n < wanted / 2 && source.sizeBytes > 0; n++) {
    const offset = below(source.sizeBytes);
    for (const extent of source.allocatedExtents({ offset, length: source.sizeBytes - offset })) {
      const chunk = Math.floor((extent.offset + below(Math.min(extent.length, chunkBytes * pageChunks))) / chunkBytes);
      if (!touched.has(chunk)) chosen.add(chunk);
      break;
    }
  }
  const hasher = new ChunkHasher(keys.chunkId);
  const buffer = new Uint8Array(chunkBytes);
  const zeros = new Uint8Array(chunkBytes);
  let readBytes = 0;
  for (const chunk of [...chosen].sort((a, b) => a - b)) {
    const offset = chunk * chunkBytes;
    const plain = buffer.subarray(0, Math.min(chunkBytes, source.sizeBytes - offset));
    source.read(offset, plain);
    readBytes += plain.length;
    const flat = await base.pageOf(Math.floor(chunk / pageChunks));
    const known = flat?.subarray((chunk % pageChunks) * 32, (chunk % pageChunks) * 32 + 32);
    const id = Buffer.compare(plain, zeros.subarray(0, plain.length)) === 0 ? NO_ID : hasher.idOf(plain);
    if (Buffer.compare(id, known ?? NO_ID) !== 0) return { readBytes, mismatchAt: offset };
  }
  return { readBytes, mismatchAt: undefined };
}

function pagesWithData(pageIds: Uint8Array): number[] {
  const pages: number[] = [];
  for (let page = 0; page * 32 < pageIds.length; page++) if (pageIds.subarray(page * 32, page * 32 + 32).some((byte) => byte !== 0)) pages.push(page);
  return pages;
}

function chunksWithData(page: number, flat: Uint8Array | undefined): number[] {
  const chunks: number[] = [];
  if (flat !== undefined)
    for (let at = 0; at < pageChunks; at++) if (flat.subarray(at * 32, at * 32 + 32).some((byte) => byte !== 0)) chunks.push(page * pageChunks + at);
  return chunks;
}

const NO_ID = new Uint8Array(32);
