import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "#platform/random.ts";
import { FaultyStore, weather } from "../../test/support/faulty-store.ts";
import { MemoryStore } from "./memory.ts";
import { retrying } from "./retrying.ts";
import { StorageError } from "./store.ts";
import type { StorageErrorCode } from "./store.ts";
import { storageContract } from "./suite.ts";

/** Time passes at once; tells how long was slept. */
function virtualClock() {
  const slept: number[] = [];
  return {
    slept,
    async sleep(ms: number, signal?: AbortSignal): Promise<void> {
      signal?.throwIfAborted();
      slept.push(ms);
    },
  };
}

function make(attempts?: number) {
  const faulty = new FaultyStore();
  const clock = virtualClock();
  return { faulty, clock, store: retrying(faulty, { clock, random: systemRandom, ...(attempts !== undefined && { attempts }) }) };
}

const fails = (code: StorageErrorCode, promise: Promise<unknown>): Promise<void> =>
  assert.rejects(promise, (error) => error instanceof StorageError && error.code === code);
const bytes = Buffer.from("some bytes of an object");

storageContract("retrying", async () => retrying(new MemoryStore(), { clock: virtualClock(), random: systemRandom }));

test("a store that fails for a while: every request is answered as if it had not, after longer and longer waits", async () => {
  for (const kind of ["before", "after"] as const) {
    const { faulty, clock, store } = make();
    const failThrice = (): void => {
      const from = faulty.requests;
      faulty.plan = (_request, _key, n) => (n <= from + 3 ? { kind } : undefined);
    };
    failThrice();
    assert.equal(await store.putIfAbsent("a/b", [bytes.subarray(0, 4), new Uint8Array(0), bytes.subarray(4)]), "stored");
    assert.equal(clock.slept.length, 3);
    for (const [at, ms] of clock.slept.entries()) assert.ok(ms >= 50 * 2 ** at && ms <= 100 * 2 ** at, `wait ${at} of ${ms} ms`);
    failThrice();
    assert.deepEqual(Buffer.from(await store.get("a/b")), bytes);
    failThrice();
    assert.deepEqual(await store.stat("a/b"), { size: bytes.length });
    failThrice();
    assert.deepEqual(await Array.fromAsync(store.list("a/")), [{ key: "a/b", size: bytes.length }]);
    failThrice();
    await store.delete("a/b");
    assert.equal(await store.stat("a/b"), undefined);
  }
});

test("attempts are bounded, and the store's own error is told", async () => {
  const { faulty, clock, store } = make(3);
  faulty.plan = () => ({ kind: "before" });
  await assert.rejects(store.get("k"), /the store failed before its effect: get k/);
  assert.deepEqual([faulty.requests, clock.slept.length], [3, 2]);
});

test("what will not get better is not tried again", async () => {
  for (const code of ["notFound", "noSpace", "readOnly", "badKey", "badRange"] as const) {
    const { faulty, clock, store } = make();
    faulty.plan = () => ({ kind: "before", code });
    await fails(code, store.putIfAbsent("k", [bytes]));
    await fails(code, store.get("k"));
    await fails(code, store.delete("k"));
    assert.deepEqual([faulty.requests, clock.slept], [3, []]);
  }
});

test("a name that another has taken, or that holds half of an object, is taken", async () => {
  const { faulty, store } = make();
  await faulty.objects.putIfAbsent("k", [Buffer.from("SOME bytes of an object")]);
  assert.equal(await store.putIfAbsent("k", [bytes]), "exists");
  faulty.plan = (_request, _key, n) => (n === 2 ? { kind: "before" } : undefined);
  assert.equal(await store.putIfAbsent("k", [bytes]), "exists");
  const from = faulty.requests;
  faulty.plan = (_request, _key, n) => (n === from + 1 ? { kind: "half" } : undefined);
  assert.equal(await store.putIfAbsent("half", [bytes]), "exists");
});

test("a listing that fails half-way is not told twice, nor as if it were whole", async () => {
  const objects = new MemoryStore();
  for (const key of ["a", "b", "c"]) await objects.putIfAbsent(key, [bytes]);
  const list = objects.list.bind(objects);
  objects.list = async function* (prefix) {
    for await (const entry of list(prefix)) {
      if (entry.key === "c") throw new StorageError("unavailable", prefix, "gone");
      yield entry;
    }
  };
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const { key } of retrying(objects, { clock: virtualClock(), random: systemRandom }).list("")) seen.push(key);
  }, /gone/);
  assert.deepEqual(seen, ["a", "b"]);
});

test("closing ends the waits", async () => {
  const { faulty, store } = make();
  await store.close();
  faulty.plan = () => ({ kind: "before" });
  await fails("unavailable", store.stat("k"));
  assert.equal(faulty.requests, 1);
});

test("seeded faults: eight attempts carry any order of requests through a store that fails now and then", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { faulty, store } = make(8);
    faulty.plan = weather(seed, 0.2);
    for (let n = 0; n < 20; n++) {
      assert.equal(await store.putIfAbsent(`k/${n}`, [bytes, Buffer.of(n)]), "stored", `seed ${seed}`);
      assert.deepEqual(Buffer.from(await store.get(`k/${n}`)), Buffer.concat([bytes, Buffer.of(n)]), `seed ${seed}`);
      if (n % 2 === 1) await store.delete(`k/${n}`);
    }
    assert.equal((await Array.fromAsync(store.list("k/"))).length, 10, `seed ${seed}`);
  }
});
