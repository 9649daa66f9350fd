import { flatPageBytes, pageChunks } from "./page.ts";

/** One page of the manifest while its chunks are read. Chunks are numbered from the start of the disk. */
export class PageState {
  readonly index: number;
  readonly ids = new Uint8Array(flatPageBytes);
  /** Data packs that hold the page's chunks, by hex id. */
  readonly packs = new Map<string, Uint8Array>();
  /** Chunks equal to the parent's, whose packs are not known yet. */
  readonly unlocated: number[] = [];
  /** Chunks that are stored again although they equal the parent's. */
  readonly #forced = new Set<number>();
  /** Answers that the page waits for. */
  pending = 0;
  /** All its segments have been sent. */
  scheduled = false;
  finished = false;
  readonly #parent: Uint8Array | undefined;

  /** `parent`: the flat page at this place in the base; undefined where it has none, or only holes. */
  constructor(index: number, parent: Uint8Array | undefined) {
    this.index = index;
    this.#parent = parent;
  }

  get isUnchanged(): boolean {
    return this.#parent !== undefined && Buffer.compare(this.ids, this.#parent) === 0;
  }

  set(chunk: number, id: Uint8Array): void {
    this.ids.set(id, this.#at(chunk));
  }

  clear(chunk: number): void {
    this.ids.fill(0, this.#at(chunk), this.#at(chunk) + 32);
  }

  idOf(chunk: number): Uint8Array {
    return this.ids.subarray(this.#at(chunk), this.#at(chunk) + 32);
  }

  /** Takes over the parent's chunks that are not `touched`. Returns the numbers of touched chunks that the parent has. */
  inherit(touched: { has(chunk: number): boolean }): number[] {
    const replaced: number[] = [];
    if (this.#parent === undefined) return replaced;
    for (let chunk = this.index * pageChunks; chunk < (this.index + 1) * pageChunks; chunk++) {
      const id = this.#parent.subarray(this.#at(chunk), this.#at(chunk) + 32);
      if (id.every((byte) => byte === 0)) continue;
      if (touched.has(chunk)) replaced.push(chunk);
      else {
        this.set(chunk, id);
        this.unlocated.push(chunk);
      }
    }
    return replaced;
  }

  /** What is stored of these chunks is lost: they are to be read again as if the parent did not have them. */
  force(chunks: readonly number[]): void {
    for (const chunk of chunks) {
      this.#forced.add(chunk);
      this.unlocated.splice(this.unlocated.indexOf(chunk), 1);
    }
  }

  /** The base's ids at these places, 32 bytes each. */
  parentIdsOf(chunks: Float64Array): Uint8Array | undefined {
    if (this.#parent === undefined) return undefined;
    const ids = new Uint8Array(chunks.length * 32);
    for (const [n, chunk] of chunks.entries())
      if (!this.#forced.has(chunk)) ids.set(this.#parent.subarray(this.#at(chunk), this.#at(chunk) + 32), n * 32);
    return ids;
  }

  #at(chunk: number): number {
    return (chunk - this.index * pageChunks) * 32;
  }
}
