import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemRandom } from "#platform/random.ts";
import { MemoryStore } from "#storage/memory.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import { destroyTenantKey, rotateMasterKey } from "./key-rotation.ts";
import { loadMasterKey, loadOrCreateMasterKey, storeMasterKey } from "./master-key.ts";
import { loadDataKey, loadOrCreateTenantKeys, openOrCreateRepository, openRepository } from "./repository-record.ts";

const tenants = ["a".repeat(32), "b".repeat(32), "c".repeat(32)];

class Crash extends Error {}

/** The same objects, but a crash before the n-th change, counted from 1, or right after it. */
function failing(store: MemoryStore, n: number, when: "before" | "after"): ObjectStore & { changes: number } {
  const wrapped: ObjectStore & { changes: number } = {
    kind: store.kind,
    location: store.location,
    changes: 0,
    get: store.get.bind(store),
    stat: store.stat.bind(store),
    list: store.list.bind(store),
    async close() {},
    putIfAbsent: (key: string, parts: readonly Uint8Array[]) => change(() => store.putIfAbsent(key, parts)),
    delete: (key: string) => change(() => store.delete(key)),
  };
  const change = async <T>(work: () => Promise<T>): Promise<T> => {
    const at = ++wrapped.changes;
    if (at === n && when === "before") throw new Crash();
    const result = await work();
    if (at === n) throw new Crash();
    return result;
  };
  return wrapped;
}

async function fresh() {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-rotation-"));
  const path = join(folder, "master.key");
  const store = new MemoryStore();
  const first = loadOrCreateMasterKey(path, systemRandom);
  await openOrCreateRepository(store, first, systemRandom);
  for (const tenant of tenants) await loadOrCreateTenantKeys(store, first, tenant, systemRandom);
  const dataKeys = new Map<string, Uint8Array>();
  for (const tenant of tenants) dataKeys.set(tenant, (await loadDataKey(store, first, tenant))!);
  return { folder, path, store, first, dataKeys, remove: () => rmSync(folder, { recursive: true }) };
}

/** The key file opens the store, with the same data keys as ever. */
async function requireOpen({ path, store, dataKeys }: Awaited<ReturnType<typeof fresh>>): Promise<void> {
  const masterKey = loadMasterKey(path);
  await openRepository(store, masterKey);
  for (const [tenant, dataKey] of dataKeys) assert.deepEqual(await loadDataKey(store, masterKey, tenant), dataKey);
}

const keysIn = async (store: ObjectStore): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys.sort();
};

const wrongKey = (error: unknown): boolean => error instanceof RepositoryError && error.code === "wrongMasterKey";

test("after a rotation the new key opens everything and the old one nothing; another rotation is as good", async () => {
  const it = await fresh();
  let last = it.first;
  for (let round = 0; round < 3; round++) {
    const resealed: [Uint8Array, Uint8Array][] = [];
    const reseal = async (from: Uint8Array, to: Uint8Array): Promise<void> => void resealed.push([from, to]);
    assert.deepEqual(await rotateMasterKey({ ...it, random: systemRandom, reseal }), { resumed: false, tenants: 3 });
    await requireOpen(it);
    assert.deepEqual(resealed, [[last, loadMasterKey(it.path)]]);
    await assert.rejects(openRepository(it.store, last), wrongKey);
    for (const tenant of tenants) await assert.rejects(loadDataKey(it.store, last, tenant), wrongKey);
    assert.deepEqual(readdirSync(it.folder), ["master.key"]);
    assert.equal((await keysIn(it.store)).length, 2 + tenants.length, "the record, the listed key, one wrapped key for each tenant");
    last = loadMasterKey(it.path);
  }
  const late = "d".repeat(32);
  await loadOrCreateTenantKeys(it.store, last, late, systemRandom);
  it.dataKeys.set(late, (await loadDataKey(it.store, last, late))!);
  await rotateMasterKey({ ...it, random: systemRandom, reseal: async () => {} });
  await requireOpen(it);
  it.remove();
});

test("a crash at any change of the store or while sealing anew: the key file opens the store, and the next call ends the rotation", async () => {
  const crashes: [number, "before" | "after" | "reseal"][] = [[0, "reseal"]];
  for (let n = 1; n <= 9; n++) crashes.push([n, "before"], [n, "after"]);
  let crashed = 0;
  for (const [n, when] of crashes) {
    const it = await fresh();
    const reseal = async (): Promise<void> => {
      if (when === "reseal") throw new Crash();
    };
    const store = when === "reseal" ? it.store : failing(it.store, n, when);
    const ended = await rotateMasterKey({ path: it.path, store, random: systemRandom, reseal }).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof Crash, String(error));
        return false;
      },
    );
    if (!ended) crashed++;
    await requireOpen(it);
    // The service may run meanwhile, and make a tenant.
    const late = "d".repeat(32);
    await loadOrCreateTenantKeys(it.store, loadMasterKey(it.path), late, systemRandom);
    it.dataKeys.set(late, (await loadDataKey(it.store, loadMasterKey(it.path), late))!);
    if (!ended) {
      const told = await rotateMasterKey({ path: it.path, store: it.store, random: systemRandom, reseal: async () => {} });
      assert.equal(told.resumed, true);
    }
    await requireOpen(it);
    await assert.rejects(openRepository(it.store, it.first), wrongKey);
    assert.equal(existsSync(`${it.path}.next`) || existsSync(`${it.path}.old`), false);
    it.remove();
  }
  assert.equal(crashed, crashes.length, "every crash came in time");
});

test("a crash between keeping the old key and putting the new one in its place", async () => {
  const it = await fresh();
  await assert.rejects(rotateMasterKey({ path: it.path, store: failing(it.store, 5, "after"), random: systemRandom, reseal: async () => {} }), Crash);
  const next = loadMasterKey(`${it.path}.next`);
  storeMasterKey(`${it.path}.old`, it.first, systemRandom);
  await requireOpen(it);
  await rotateMasterKey({ ...it, random: systemRandom, reseal: async () => {} });
  assert.deepEqual(loadMasterKey(it.path), next);
  await requireOpen(it);
  it.remove();
});

test("a destroyed key is gone under every master key, is not made again, and the other tenants are not touched", async () => {
  const it = await fresh();
  const [victim = "", ...others] = tenants;
  for (const n of [1, 2]) await assert.rejects(destroyTenantKey(failing(it.store, n, "before"), victim), Crash);
  await destroyTenantKey(it.store, victim);
  await destroyTenantKey(it.store, victim);
  assert.equal(await loadDataKey(it.store, it.first, victim), undefined);
  assert.deepEqual(
    (await keysIn(it.store)).filter((key) => key.startsWith(`t/${victim}/`)),
    [`t/${victim}/key-destroyed`],
  );
  await assert.rejects(
    loadOrCreateTenantKeys(it.store, it.first, victim, systemRandom),
    (error) => error instanceof RepositoryError && error.code === "keyDestroyed",
  );
  await assert.rejects(destroyTenantKey(it.store, "e".repeat(32)), /has no key/);
  await rotateMasterKey({ ...it, random: systemRandom, reseal: async () => {} });
  for (const tenant of others) assert.deepEqual(await loadDataKey(it.store, loadMasterKey(it.path), tenant), it.dataKeys.get(tenant));
  assert.equal(await loadDataKey(it.store, loadMasterKey(it.path), victim), undefined);
  it.remove();
});
