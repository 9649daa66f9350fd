import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "#platform/random.ts";
import { MemoryStore } from "#storage/memory.ts";
import { RepositoryError } from "./engine-types.ts";
import { deriveTenantKeys } from "./keys.ts";
import { listTenants, readState, statePrefix, writeState } from "./rebuild-state.ts";

const tenant = "a".repeat(32);
const keys = deriveTenantKeys(new Uint8Array(32).fill(7));

async function names(store: MemoryStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(statePrefix(tenant))) found.push(key);
  return found.sort();
}

test("the state that was written last counts, also when the clock goes back, and it is the only one", async () => {
  const store = new MemoryStore();
  assert.equal(await readState(store, keys, tenant), undefined);
  const times = [1_800_000_000_000_000, 1_800_000_000_000_001, 1_799_913_600_000_000];
  for (const [at, nowUs] of times.entries()) {
    const written = await writeState(store, keys, tenant, { nowUs, document: { at } }, systemRandom);
    assert.deepEqual(await readState(store, keys, tenant), { writtenAtUs: written, document: { at } });
    assert.equal((await names(store)).length, 1);
  }
  assert.deepEqual(await listTenants(store), [tenant]);
});

test("a crash before the older state went leaves two, and the newer counts; damage to it leaves the older; damage to both is told", async () => {
  const [store, other] = [new MemoryStore(), new MemoryStore()];
  await writeState(store, keys, tenant, { nowUs: 1, document: "older" }, systemRandom);
  await writeState(other, keys, tenant, { nowUs: 2, document: "newer" }, systemRandom);
  const [newer = ""] = await names(other);
  const bytes = await other.get(newer);
  await store.putIfAbsent(newer, [bytes]);
  assert.equal((await readState(store, keys, tenant))?.document, "newer");
  await store.delete(newer);
  await store.putIfAbsent(newer, [bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)]);
  assert.equal((await readState(store, keys, tenant))?.document, "older");
  const [older = ""] = await names(store);
  await store.delete(older);
  await assert.rejects(readState(store, keys, tenant), (error) => error instanceof RepositoryError && error.code === "corruptRoot");
});

test("a state object does not open under another name or for another tenant", async () => {
  const store = new MemoryStore();
  await writeState(store, keys, tenant, { nowUs: 5, document: {} }, systemRandom);
  const [key = ""] = await names(store);
  const bytes = await store.get(key);
  await store.delete(key);
  await store.putIfAbsent(key.replace("5-", "6-"), [bytes]);
  await assert.rejects(readState(store, keys, tenant), /is that of backup state-/);
  const stranger = "b".repeat(32);
  await store.putIfAbsent(key.replace(tenant, stranger), [bytes]);
  await assert.rejects(readState(store, keys, stranger), /is that of backup state-/);
});
