/** The one source of time. Everything that needs "now" or waits takes a {@link Clock}. */
export interface Clock {
  /** Microseconds since the Unix epoch, UTC. Fits a JavaScript integer until the year 2255. */
  nowUs(): number;
  /** Microseconds that have passed since some moment of this process, whatever is done to the time of day. Absent = {@link nowUs} tells it too. */
  elapsedUs?(): number;
  /** Resolves after `ms` milliseconds; rejects with `signal.reason` when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

let lastUs = 0;

/** The machine's clock. Two readings are never equal and never go backwards within one thread. */
export const systemClock: Clock = {
  nowUs() {
    const us = Math.round((performance.timeOrigin + performance.now()) * 1000);
    lastUs = us > lastUs ? us : lastUs + 1;
    return lastUs;
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};
