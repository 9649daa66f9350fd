import type { Extent } from "#sources/source.ts";
import { pageChunks } from "./page.ts";

/** Which chunks of a disk may hold data: one bit each. */
export class ChunkMap {
  readonly #bits: Uint8Array;
  readonly #chunkCount: number;
  /** Bytes of the chunks that are to be read. */
  readonly bytes: number;

  /** `extents`: ranges with data, in bytes, in any order; may overlap. */
  constructor(sizeBytes: number, chunkBytes: number, ...extents: Iterable<Extent>[]) {
    this.#chunkCount = Math.ceil(sizeBytes / chunkBytes);
    this.#bits = new Uint8Array(Math.ceil(this.#chunkCount / 8));
    let bytes = 0;
    for (const { offset, length } of extents.flatMap((each) => [...each])) {
      const end = Math.min(this.#chunkCount, Math.ceil((offset + length) / chunkBytes));
      for (let chunk = Math.floor(offset / chunkBytes); chunk < end; chunk++) {
        if (this.has(chunk)) continue;
        this.#bits[chunk >> 3]! |= 1 << (chunk & 7);
        bytes += Math.min(chunkBytes, sizeBytes - chunk * chunkBytes);
      }
    }
    this.bytes = bytes;
  }

  has(chunk: number): boolean {
    return ((this.#bits[chunk >>> 3] ?? 0) & (1 << (chunk & 7))) !== 0;
  }

  /** Pages of the manifest that have at least one such chunk, ascending. */
  *pages(): Generator<number> {
    const bytesPerPage = pageChunks / 8;
    for (let page = 0; page * pageChunks < this.#chunkCount; page++) {
      if (this.#bits.subarray(page * bytesPerPage, (page + 1) * bytesPerPage).some((bits) => bits !== 0)) yield page;
    }
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
}
