import type { Clock } from "#platform/clock.ts";

export interface FailureLimits {
  /** Failures in a row until the name is locked. */
  failures: number;
  /** How long it stays locked, and how long failures are remembered, seconds. */
  lockSeconds: number;
  /** Names remembered at most; the oldest is forgotten first. */
  maxNames: number;
}

export interface FailureLimiter {
  /** Seconds until the name may be tried again; 0 when it may be now. */
  lockedForSeconds(name: string): number;
  fail(name: string): void;
  succeed(name: string): void;
}

/** Locks a name after several failures in a row. In memory, and bounded. */
export function createFailureLimiter(clock: Clock, limits: FailureLimits): FailureLimiter {
  const failed = new Map<string, { count: number; lastUs: number }>();
  const lockUs = limits.lockSeconds * 1_000_000;
  const recall = (name: string): { count: number; lastUs: number } | undefined => {
    const entry = failed.get(name);
    if (entry === undefined) return undefined;
    // A failure of the future was before the clock was set back: nobody stays locked out for longer than promised.
    entry.lastUs = Math.min(entry.lastUs, clock.nowUs());
    if (clock.nowUs() - entry.lastUs < lockUs) return entry;
    failed.delete(name);
    return undefined;
  };
  return {
    lockedForSeconds(name) {
      const entry = recall(name);
      if (entry === undefined || entry.count < limits.failures) return 0;
      return Math.max(1, Math.ceil((entry.lastUs + lockUs - clock.nowUs()) / 1_000_000));
    },
    fail(name) {
      const count = (recall(name)?.count ?? 0) + 1;
      failed.delete(name);
      failed.set(name, { count, lastUs: clock.nowUs() });
      if (failed.size <= limits.maxNames) return;
      const oldest = failed.keys().next();
      if (oldest.done !== true) failed.delete(oldest.value);
    },
    succeed(name) {
      failed.delete(name);
    },
  };
}
