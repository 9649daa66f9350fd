import type { Extent } from "#sources/source.ts";
import { pageChunks } from "./page.ts";

const BYTES_PER_PAGE = pageChunks / 8;

/** A set of the chunks of a disk, one bit each. Takes memory for pages of the manifest that have any. */
export class ChunkMap {
  readonly #pages = new Map<number, Uint8Array>();
  readonly #chunkCount: number;
  /** Bytes of the chunks in the set. */
  readonly bytes: number;

  /** `extents`: ranges in bytes, in any order; may overlap, and leave the disk. Every chunk that one of them touches is in the set. */
  constructor(sizeBytes: number, chunkBytes: number, ...extents: Iterable<Extent>[]) {
    this.#chunkCount = Math.ceil(sizeBytes / chunkBytes);
    let bytes = 0;
    for (const each of extents) {
      for (const { offset, length } of each) {
        const end = length === 0 ? 0 : Math.min(this.#chunkCount, Math.ceil((offset + length) / chunkBytes));
        for (let chunk = Math.floor(offset / chunkBytes); chunk < end; chunk++) {
          if (this.#add(chunk)) bytes += Math.min(chunkBytes, sizeBytes - chunk * chunkBytes);
        }
      }
    }
    this.bytes = bytes;
  }

  has(chunk: number): boolean {
    const bits = this.#pages.get(Math.floor(chunk / pageChunks));
    return bits !== undefined && (bits[(chunk % pageChunks) >>> 3]! & (1 << (chunk & 7))) !== 0;
  }

  /** Pages of the manifest that have at least one such chunk, ascending. */
  pages(): number[] {
    return [...this.#pages.keys()].sort((a, b) => a - b);
  }

  /** The page's chunks in lists of at most `most`, ascending. */
  *segments(page: number, most: number): Generator<Float64Array> {
    let list: number[] = [];
    const end = Math.min(this.#chunkCount, (page + 1) * pageChunks);
    for (let chunk = page * pageChunks; chunk < end; chunk++) {
      if (this.has(chunk)) list.push(chunk);
      if (list.length === most || (chunk === end - 1 && list.length > 0)) {
        yield Float64Array.from(list);
        list = [];
      }
    }
  }

  /** Ranges of whole chunks, ascending and apart from each other. */
  *extents(chunkBytes: number): Generator<Extent> {
    let first = -1;
    let next = -1;
    for (const page of this.pages()) {
      for (const chunks of this.segments(page, pageChunks)) {
        for (const chunk of chunks) {
          if (chunk !== next) {
            if (first >= 0) yield { offset: first * chunkBytes, length: (next - first) * chunkBytes };
            first = chunk;
          }
          next = chunk + 1;
        }
      }
    }
    if (first >= 0) yield { offset: first * chunkBytes, length: (next - first) * chunkBytes };
  }

  #add(chunk: number): boolean {
    const page = Math.floor(chunk / pageChunks);
    let bits = this.#pages.get(page);
    if (bits === undefined) this.#pages.set(page, (bits = new Uint8Array(BYTES_PER_PAGE)));
    const at = (chunk % pageChunks) >>> 3;
    const bit = 1 << (chunk & 7);
    if ((bits[at]! & bit) !== 0) return false;
    bits[at]! |= bit;
    return true;
  }
}
