import type { Clock } from "./clock.ts";

/**
 * Lets bytes through at a mean rate, in the order in which they were asked for. What is saved up while nothing asks is at most one second's worth.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When all that was let through so far will have been paid for, microseconds. */
  #paidAtUs = -Infinity;

  constructor(clock: Clock, bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`a rate of ${bytesPerSecond} bytes per second lets nothing through`);
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when these bytes may go. Rejects with the signal's reason when that is aborted first; they then count as let through. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const nowUs = this.#clock.nowUs();
    const startUs = Math.max(this.#paidAtUs, nowUs - 1_000_000);
    this.#paidAtUs = startUs + (bytes * 1_000_000) / this.#bytesPerSecond;
    const waitMs = (this.#paidAtUs - nowUs) / 1000;
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }
}
