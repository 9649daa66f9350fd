import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReadWriteLock } from "./read-write-lock.ts";

test("shared work runs together, exclusive work alone, in the order of asking, and failures let the next one in", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ exclusive: fc.boolean(), turns: fc.nat(5), fails: fc.boolean() }), { maxLength: 20 }), async (jobs) => {
      const lock = new ReadWriteLock();
      const inside = new Set<number>();
      const entered: number[] = [];
      const runs = jobs.map(({ exclusive, turns, fails }, at) => {
        const work = async (): Promise<number> => {
          entered.push(at);
          inside.add(at);
          for (let turn = 0; turn < turns; turn++) {
            if (exclusive) assert.deepEqual([...inside], [at]);
            assert.ok([...inside].every((other) => other === at || !jobs[other]!.exclusive));
            await Promise.resolve();
          }
          inside.delete(at);
          if (fails) throw new Error("meant");
          return at;
        };
        return exclusive ? lock.exclusive(work) : lock.shared(work);
      });
      assert.equal(lock.isIdle, jobs.length === 0);
      const ended = await Promise.allSettled(runs);
      assert.deepEqual(
        ended.map((end) => (end.status === "fulfilled" ? end.value : (end.reason as Error).message)),
        jobs.map(({ fails }, at) => (fails ? "meant" : at)),
      );
      assert.deepEqual(
        entered,
        jobs.map((_, at) => at),
      );
      assert.ok(lock.isIdle);
    }),
  );
});

test("two writers are in together", async () => {
  const lock = new ReadWriteLock();
  const { promise: both, resolve } = Promise.withResolvers<void>();
  let inside = 0;
  const work = async (): Promise<void> => {
    if (++inside === 2) resolve();
    await both;
  };
  await Promise.all([lock.shared(work), lock.shared(work)]);
  assert.equal(inside, 2);
});
