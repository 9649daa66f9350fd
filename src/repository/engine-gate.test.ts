import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate, Turns } from "./engine-gate.ts";

test("a gate opens for those whose condition holds, and only then", async () => {
  const gate = new Gate();
  let value = 0;
  const passed: string[] = [];
  const one = gate.until(() => value >= 1).then(() => passed.push("one"));
  const two = gate.until(() => value >= 2).then(() => passed.push("two"));
  gate.notify();
  await Promise.resolve();
  assert.deepEqual(passed, []);
  value = 1;
  gate.notify();
  await one;
  assert.deepEqual(passed, ["one"]);
  value = 2;
  gate.notify();
  await two;
  await gate.until(() => true);
  assert.deepEqual(passed, ["one", "two"]);
});

test("work takes turns, also when some of it fails", async () => {
  const turns = new Turns(2);
  let running = 0;
  let most = 0;
  const work = async (n: number): Promise<number> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (n % 3 === 0) throw new Error("no");
    return n;
  };
  const results = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7].map((n) => turns.run(() => work(n))));
  assert.equal(most, 2);
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : result.reason.message)),
    [1, 2, "no", 4, 5, "no", 7],
  );
});
