/** Seeded choices: the same seed, the same choices. */
export class Choice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1 + 0x7f4a7c15) >>> 0;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 up to, not including, `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

export const secondUs = 1_000_000;
export const minuteUs = 60 * secondUs;
export const hourUs = 3600 * secondUs;

interface Waiting {
  atUs: number;
  order: number;
  process: Process;
  resume: () => void;
}

/** Something that can crash: whoever sleeps in it is never heard of again. */
export class Process {
  readonly name: string;
  crashed = false;

  constructor(name: string) {
    this.name = name;
  }
}

/** A clock that moves only when everything waits. Who is woken next depends on the times asked for alone. */
export class VirtualTime {
  #nowUs = 1_000_000 * secondUs;
  #skewUs = 0;
  #order = 0;
  #waiting: Waiting[] = [];

  /** What clocks show, which may have been set back. */
  nowUs(): number {
    return Math.round(this.#nowUs + this.#skewUs);
  }

  /** What has passed, however wrong clocks are. */
  elapsedUs(): number {
    return Math.round(this.#nowUs);
  }

  /** How wrong clocks are from now on: what waits is not woken by that. */
  setClock(skewUs: number): void {
    this.#skewUs = Math.round(skewUs);
  }

  sleep(us: number, process: Process): Promise<void> {
    return new Promise((resume) => {
      this.#waiting.push({ atUs: this.#nowUs + Math.max(0, Math.round(us)), order: this.#order++, process, resume });
    });
  }

  /** Wakes whoever is next, and lets it come to its next wait. False when nobody waits. */
  async step(): Promise<boolean> {
    // Who lets others go first for a moment is not waiting for time to pass.
    for (let turn = 0; turn < 40 && this.#next() === undefined; turn++) await new Promise((resolve) => setImmediate(resolve));
    const next = this.#next();
    if (next === undefined) return false;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#nowUs = Math.max(this.#nowUs, next.atUs);
    next.resume();
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }

  #next(): Waiting | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (waiting.process.crashed) continue;
      if (next === undefined || waiting.atUs < next.atUs || (waiting.atUs === next.atUs && waiting.order < next.order)) next = waiting;
    }
    return next;
  }

  get realNowUs(): number {
    return this.#nowUs;
  }
}
