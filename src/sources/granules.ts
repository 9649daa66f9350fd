import type { Extent } from "./source.ts";

const granulesPerPage = 32_768;

/** A set of the granules of a disk (pieces of equal size), one bit each. Takes memory only where it has any. */
export class Granules {
  readonly granuleBytes: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(granuleBytes: number) {
    this.granuleBytes = granuleBytes;
  }

  /** Adds every granule that the range touches. */
  add(range: Extent): void {
    const [first, end] = this.#spanOf(range);
    for (let granule = first; granule < end; granule++) {
      const page = Math.floor(granule / granulesPerPage);
      let bits = this.#pages.get(page);
      if (bits === undefined) this.#pages.set(page, (bits = new Uint8Array(granulesPerPage / 8)));
      bits[(granule % granulesPerPage) >>> 3]! |= 1 << (granule & 7);
    }
  }

  /** Whether it has every granule that the range touches. */
  covers(range: Extent): boolean {
    const [first, end] = this.#spanOf(range);
    for (let granule = first; granule < end; granule++) if (!this.#has(granule)) return false;
    return true;
  }

  /** Ranges of whole granules, ascending and apart from each other. */
  *extents(): Generator<Extent> {
    let first = -1;
    let next = -1;
    for (const page of [...this.#pages.keys()].sort((a, b) => a - b)) {
      for (let granule = page * granulesPerPage, end = granule + granulesPerPage; granule < end; granule++) {
        if (!this.#has(granule)) continue;
        if (granule !== next) {
          if (first >= 0) yield { offset: first * this.granuleBytes, length: (next - first) * this.granuleBytes };
          first = granule;
        }
        next = granule + 1;
      }
    }
    if (first >= 0) yield { offset: first * this.granuleBytes, length: (next - first) * this.granuleBytes };
  }

  /** First granule that the range touches, and the one behind the last. */
  #spanOf({ offset, length }: Extent): [number, number] {
    return length === 0 ? [0, 0] : [Math.floor(offset / this.granuleBytes), Math.ceil((offset + length) / this.granuleBytes)];
  }

  #has(granule: number): boolean {
    const bits = this.#pages.get(Math.floor(granule / granulesPerPage));
    return bits !== undefined && (bits[(granule % granulesPerPage) >>> 3]! & (1 << (granule & 7))) !== 0;
  }
}
