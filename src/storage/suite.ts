import assert from "node:assert/strict";
import { test } from "node:test";
import { StorageError } from "./store.ts";
import type { ObjectStore, StorageErrorCode } from "./store.ts";

const text = (value: string): Uint8Array => Buffer.from(value);

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.toSorted();
}

const refusedAs = (code: StorageErrorCode) => (error: unknown) => {
  assert.ok(error instanceof StorageError, String(error));
  assert.equal(error.code, code);
  return true;
};

/**
 * Registers the storage contract's tests for one implementation. `open` gives an empty store; `reopen`, where objects outlive their store,
 * opens the store once more that `open` gave last.
 */
export function storageContract(name: string, open: () => Promise<ObjectStore>, reopen?: () => Promise<ObjectStore>): void {
  const contract = (promise: string, work: (store: ObjectStore) => Promise<void>): void => {
    test(`${name}: ${promise}`, async () => {
      const store = await open();
      try {
        await work(store);
      } finally {
        await store.close();
      }
    });
  };

  contract("an object is the concatenation of its parts, whole or by range", async (store) => {
    assert.equal(await store.putIfAbsent("a/b-c_d.e", [text("hel"), text(""), text("lo")]), "stored");
    assert.equal(Buffer.from(await store.get("a/b-c_d.e")).toString(), "hello");
    assert.equal(Buffer.from(await store.get("a/b-c_d.e", { offset: 1, length: 3 })).toString(), "ell");
    assert.equal((await store.get("a/b-c_d.e", { offset: 5, length: 0 })).length, 0);
    assert.deepEqual(await store.stat("a/b-c_d.e"), { size: 5 });
  });

  contract("an empty object is an object", async (store) => {
    assert.equal(await store.putIfAbsent("empty", []), "stored");
    assert.deepEqual(await store.stat("empty"), { size: 0 });
    assert.equal((await store.get("empty")).length, 0);
    assert.equal(await store.putIfAbsent("empty", [text("x")]), "exists");
  });

  contract("a range that leaves the object is refused", async (store) => {
    await store.putIfAbsent("o", [text("12345")]);
    for (const range of [
      { offset: 0, length: 6 },
      { offset: 6, length: 0 },
      { offset: -1, length: 2 },
      { offset: 0, length: -1 },
      { offset: 0.5, length: 1 },
    ])
      await assert.rejects(store.get("o", range), refusedAs("badRange"));
  });

  contract("there is no overwrite", async (store) => {
    await store.putIfAbsent("k", [text("first")]);
    assert.equal(await store.putIfAbsent("k", [text("second")]), "exists");
    assert.equal(Buffer.from(await store.get("k")).toString(), "first");
  });

  contract("of many writers of one key one wins, and it is seen whole", async (store) => {
    const values = Array.from({ length: 12 }, (_, index) => Buffer.alloc(20_000 + index, index));
    const outcomes = await Promise.all(values.map((value) => store.putIfAbsent("race/k", [value])));
    assert.deepEqual(outcomes.filter((outcome) => outcome === "stored").length, 1);
    const kept = await store.get("race/k");
    assert.deepEqual(Buffer.from(kept), values[outcomes.indexOf("stored")]);
    assert.deepEqual(await keysOf(store, ""), ["race/k"]);
  });

  contract("changing what was put or got changes no object", async (store) => {
    const bytes = Buffer.from("abc");
    await store.putIfAbsent("k", [bytes]);
    bytes.fill(0);
    (await store.get("k")).fill(0);
    assert.equal(Buffer.from(await store.get("k")).toString(), "abc");
  });

  contract("what is not there is told", async (store) => {
    await store.putIfAbsent("folder/k", [text("x")]);
    for (const key of ["none", "folder", "folder/none", "folder/k/below"]) {
      await assert.rejects(store.get(key), refusedAs("notFound"), key);
      assert.equal(await store.stat(key), undefined, key);
      await store.delete(key);
    }
    assert.deepEqual(await keysOf(store, ""), ["folder/k"]);
  });

  contract("a deleted object is gone, and its key is free", async (store) => {
    await store.putIfAbsent("d/k", [text("1")]);
    await store.delete("d/k");
    await store.delete("d/k");
    assert.equal(await store.stat("d/k"), undefined);
    assert.deepEqual(await keysOf(store, "d/"), []);
    assert.equal(await store.putIfAbsent("d/k", [text("2")]), "stored");
    assert.equal(Buffer.from(await store.get("d/k")).toString(), "2");
  });

  contract("a list gives the keys with a prefix, which need not end at a slash", async (store) => {
    const keys = ["t/a/packs/00/x", "t/a/packs/01/y", "t/a/roots/r", "t/ab/roots/r", "u"];
    for (const key of keys) await store.putIfAbsent(key, [text(key)]);
    assert.deepEqual(await keysOf(store, ""), keys);
    assert.deepEqual(await keysOf(store, "t/a/"), keys.slice(0, 3));
    assert.deepEqual(await keysOf(store, "t/a"), keys.slice(0, 4));
    assert.deepEqual(await keysOf(store, "t/a/packs/0"), keys.slice(0, 2));
    assert.deepEqual(await keysOf(store, "t/a/packs/00/x"), keys.slice(0, 1));
    assert.deepEqual(await keysOf(store, "t/none/"), []);
    for await (const { key, size } of store.list("t/")) assert.equal(size, key.length);
  });

  contract("keys outside the contract are refused and touch nothing", async (store) => {
    const bad = ["", "/", "a//b", "/a", "a/", ".", "..", "a/../b", "a/./b", "a b", "a\\b", "a\0", "ä", "%2e", "x".repeat(513)];
    for (const key of bad) {
      await assert.rejects(async () => store.putIfAbsent(key, [text("x")]), refusedAs("badKey"), key);
      await assert.rejects(async () => store.get(key), refusedAs("badKey"), key);
      await assert.rejects(async () => store.stat(key), refusedAs("badKey"), key);
      await assert.rejects(async () => store.delete(key), refusedAs("badKey"), key);
    }
    assert.deepEqual(await keysOf(store, ""), []);
  });

  if (!reopen) return;
  test(`${name}: objects outlive the store`, async () => {
    const first = await open();
    await first.putIfAbsent("deep/er/k", [text("kept")]);
    await first.close();
    const second = await reopen();
    assert.equal(Buffer.from(await second.get("deep/er/k")).toString(), "kept");
    assert.equal(await second.putIfAbsent("deep/er/k", [text("other")]), "exists");
    await second.close();
  });
}
