import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#platform/clock.ts";
import { createFailureLimiter } from "./failure-limiter.ts";

test("a name is locked for its time and no longer, also when the clock is set back by a day", () => {
  let now = 1_800_000_000_000_000;
  const limiter = createFailureLimiter({ nowUs: () => now, sleep: (ms) => systemClock.sleep(ms) }, { failures: 2, lockSeconds: 300, maxNames: 10 });
  limiter.fail("a");
  assert.equal(limiter.lockedForSeconds("a"), 0);
  limiter.fail("a");
  assert.equal(limiter.lockedForSeconds("a"), 300);
  now -= 24 * 3600 * 1_000_000;
  assert.equal(limiter.lockedForSeconds("a"), 300);
  now += 299 * 1_000_000;
  assert.equal(limiter.lockedForSeconds("a"), 1);
  now += 1_000_000;
  assert.equal(limiter.lockedForSeconds("a"), 0);
});
