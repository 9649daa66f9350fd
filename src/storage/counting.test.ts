import assert from "node:assert/strict";
import { test } from "node:test";
import { CountingStore } from "./counting.ts";
import { MemoryStore } from "./memory.ts";
import { storageContract } from "./suite.ts";

storageContract("counting", async () => new CountingStore(new MemoryStore()));

test("requests are counted by what was asked and how it ended", async () => {
  const store = new CountingStore(new MemoryStore());
  await store.putIfAbsent("a", [new Uint8Array(3)]);
  await store.get("a");
  await assert.rejects(store.get("b"));
  await assert.rejects(store.get("a", { offset: 2, length: 5 }));
  for await (const { key } of store.list("")) assert.equal(key, "a");
  await store.delete("a");
  assert.deepEqual(
    store.counts().map(({ operation, outcome, requests }) => `${operation} ${outcome} ${requests}`),
    ["put ok 1", "get ok 1", "get notFound 1", "get badRange 1", "list ok 1", "delete ok 1"],
  );
});
