import { compress, scratch } from "./record.ts";

/** Chunks in a row that did not pay, after which the next one is sampled first. */
const patience = 2;
const sampleParts = 4;
const samplePartBytes = 2048;

/**
 * Decides whether compressing a chunk is worth trying, for the chunks of one segment of a disk in their order: after two that did not pay, only
 * those are tried of which a sample of 8 KiB from four places becomes smaller. It begins afresh with each segment, so what is stored depends on
 * the disk's content alone, not on which lane has the segment.
 */
export class CompressionGate {
  readonly #level: number;
  #misses = 0;

  constructor(level: number) {
    this.#level = level;
  }

  isWorthTrying(plain: Uint8Array): boolean {
    return this.#misses < patience || plain.length < 2 * sampleParts * samplePartBytes || this.#isSampleSmaller(plain);
  }

  /** What came of a try. */
  tell(paid: boolean): void {
    this.#misses = paid ? 0 : this.#misses + 1;
  }

  #isSampleSmaller(plain: Uint8Array): boolean {
    const length = sampleParts * samplePartBytes;
    const sample = scratch(2 * length).subarray(0, length);
    const stride = Math.floor(plain.length / sampleParts);
    for (let part = 0; part < sampleParts; part++) {
      const from = part * stride + Math.floor((stride - samplePartBytes) / 2);
      sample.set(plain.subarray(from, from + samplePartBytes), part * samplePartBytes);
    }
    return compress(sample, this.#level, scratch(2 * length).subarray(length)) > 0;
  }
}
