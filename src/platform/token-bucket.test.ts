import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "./clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A clock that jumps to whatever is waited for. */
function jumpingClock(): Clock & { seconds(): number; idle(seconds: number): void } {
  let nowUs = 1e15;
  return {
    nowUs: () => nowUs,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      nowUs += ms * 1000;
    },
    seconds: () => (nowUs - 1e15) / 1e6,
    idle: (seconds) => {
      nowUs += seconds * 1e6;
    },
  };
}

test("the mean rate is kept, however the bytes are cut; one second's worth may come at once", async () => {
  for (const piece of [1, 10, 250, 1000, 4000]) {
    const clock = jumpingClock();
    const bucket = new TokenBucket(clock, 1000);
    for (let sent = 0; sent < 20_000; sent += piece) await bucket.take(piece);
    assert.ok(Math.abs(clock.seconds() - 19) < 0.001 * piece + 0.01, `pieces of ${piece}: ${clock.seconds()} s`);
  }
});

test("idle time is not saved up", async () => {
  const clock = jumpingClock();
  const bucket = new TokenBucket(clock, 1000);
  await bucket.take(1000);
  clock.idle(3600);
  const before = clock.seconds();
  await bucket.take(5000);
  assert.ok(Math.abs(clock.seconds() - before - 4) < 1e-6);
});

test("two that share a bucket get its rate together", async () => {
  const clock = jumpingClock();
  const bucket = new TokenBucket(clock, 100);
  const sender = async (): Promise<void> => {
    for (let n = 0; n < 50; n++) await bucket.take(10);
  };
  await Promise.all([sender(), sender()]);
  assert.ok(clock.seconds() >= 8.99, String(clock.seconds()));
});

test("whoever is told to stop does not wait; a rate of nothing is refused", async () => {
  const bucket = new TokenBucket(jumpingClock(), 1);
  await assert.rejects(bucket.take(100, AbortSignal.abort(new Error("stopped"))), /stopped/);
  for (const rate of [0, -1, Number.NaN]) assert.throws(() => new TokenBucket(jumpingClock(), rate), RangeError);
});
