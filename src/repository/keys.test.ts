import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import { MemoryStore } from "#storage/memory.ts";
import { refusedAs, tenant, triesTo } from "./codec-samples.ts";
import { chunkIdOf, createTenantKey, deriveTenantKeys, keyedHash, packKey, unwrapTenantKey } from "./keys.ts";
import { packObjectKey, parsePackKey, repositoryRecordKey, rootObjectKey, tenantKeyObjectKey } from "./layout.ts";
import { decodeRecord, encodeRecord, loadOrCreateTenantKeys, loadTenantKeys, openOrCreateRepository } from "./repository-record.ts";

const masterKey = new Uint8Array(32).fill(3);
const otherKey = new Uint8Array(32).fill(4);

test("every key has a purpose of its own, and every tenant its own", () => {
  const [one, two] = [deriveTenantKeys(masterKey), deriveTenantKeys(otherKey)];
  const id = new Uint8Array(16);
  const keys = [...Object.values(one), ...Object.values(two), packKey(one, id), packKey(two, id), packKey(one, new Uint8Array(16).fill(1))];
  assert.equal(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size, keys.length);
  assert.ok(keys.every((key) => key.length === 32));
});

test("a keyed hash depends on nothing but key and bytes", () => {
  const keys = deriveTenantKeys(masterKey);
  const first = Buffer.from(chunkIdOf(keys, Buffer.from("abc")));
  keyedHash(keys.chunkId, Buffer.from("other"));
  assert.deepEqual(Buffer.from(keyedHash(Uint8Array.from(keys.chunkId), Buffer.from("abc"))), first);
  assert.deepEqual(Buffer.from(chunkIdOf(keys, Buffer.from("abc"))), first);
  assert.notDeepEqual(Buffer.from(keyedHash(keys.pageId, Buffer.from("abc"))), first);
});

test("a wrapped data key opens with its master key for its tenant, and not otherwise", () => {
  const { dataKey, wrapped } = createTenantKey(masterKey, tenant, systemRandom);
  assert.deepEqual(Buffer.from(unwrapTenantKey(masterKey, tenant, wrapped)), Buffer.from(dataKey));
  assert.throws(() => unwrapTenantKey(otherKey, tenant, wrapped), refusedAs("wrongMasterKey"));
  assert.throws(() => unwrapTenantKey(masterKey, "f".repeat(32), wrapped), refusedAs("wrongMasterKey"));
  assert.throws(() => unwrapTenantKey(new Uint8Array(31), tenant, wrapped), refusedAs("invalidRequest"));
  for (let bit = 0; bit < wrapped.length * 8; bit++) {
    const bytes = Uint8Array.from(wrapped);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => unwrapTenantKey(masterKey, tenant, bytes), refusedAs("wrongMasterKey", "newerFormat"), `bit ${bit}`);
  }
  for (let length = 0; length < wrapped.length; length++)
    assert.throws(() => unwrapTenantKey(masterKey, tenant, wrapped.subarray(0, length)), refusedAs("wrongMasterKey"));
});

test("the store's keys are made of names only", () => {
  const packId = Buffer.from("00112233445566778899aabbccddeeff", "hex");
  const key = packObjectKey(tenant, packId);
  assert.equal(key, `t/${tenant}/packs/00/00112233445566778899aabbccddeeff`);
  assert.deepEqual(parsePackKey(key), { tenant, packId });
  for (const other of [`${key}0`, key.replace("packs/00", "packs/01"), key.replace("t/", "u/"), rootObjectKey(tenant, "b"), `${key}/x`])
    assert.equal(parsePackKey(other), undefined);
  for (const bad of ["", "..", "a/b", ".hidden", "ä", "x".repeat(129)]) {
    assert.throws(() => tenantKeyObjectKey(bad), refusedAs("invalidRequest"), bad);
    assert.throws(() => rootObjectKey(tenant, bad), refusedAs("invalidRequest"), bad);
  }
});

test("a repository is made in an empty store and found again with its master key only", async () => {
  const store = new MemoryStore();
  const made = await openOrCreateRepository(store, masterKey, systemRandom);
  assert.deepEqual(await openOrCreateRepository(store, masterKey, systemRandom), made);
  await assert.rejects(openOrCreateRepository(store, otherKey, systemRandom), refusedAs("wrongMasterKey"));
  const others = await openOrCreateRepository(new MemoryStore(), masterKey, systemRandom);
  assert.notEqual(others.repositoryId, made.repositoryId);
  assert.notEqual(others.masterKeyCheck, made.masterKeyCheck);
});

test("a store with anything else in it is no repository", async () => {
  const store = new MemoryStore();
  await store.putIfAbsent("photos/1", [Buffer.from("x")]);
  await assert.rejects(openOrCreateRepository(store, masterKey, systemRandom), refusedAs("notARepository"));
  assert.equal(await store.stat(repositoryRecordKey), undefined);
});

test("a tenant's keys are made once, also when two ask at the same time", async () => {
  const store = new MemoryStore();
  assert.equal(await loadTenantKeys(store, masterKey, tenant), undefined);
  const both = await Promise.all([
    loadOrCreateTenantKeys(store, masterKey, tenant, systemRandom),
    loadOrCreateTenantKeys(store, masterKey, tenant, systemRandom),
  ]);
  assert.deepEqual(both[0], both[1]);
  assert.deepEqual(await loadTenantKeys(store, masterKey, tenant), both[0]);
  await assert.rejects(loadTenantKeys(store, otherKey, tenant), refusedAs("wrongMasterKey"));
});

test("a record of a later format is newerFormat, anything else is notARepository", () => {
  const record = {
    format: "opencbr-repository",
    version: 1,
    repositoryId: "00112233-4455-4677-8899-aabbccddeeff",
    masterKeyCheck: "0".repeat(64),
  } as const;
  assert.deepEqual(decodeRecord(encodeRecord(record)), record);
  const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  assert.throws(() => decodeRecord(text({ ...record, version: 2, more: true })), refusedAs("newerFormat"));
  for (const wrong of [{ version: 0 }, { version: "1" }, { repositoryId: "x" }, { masterKeyCheck: "00" }, { format: "other" }])
    assert.throws(() => decodeRecord(text({ ...record, ...wrong })), refusedAs("notARepository"), JSON.stringify(wrong));
  assert.throws(() => decodeRecord(text(null)), refusedAs("notARepository"));
  const bytes = encodeRecord(record);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
        fc.jsonValue().map(text),
      ),
      (any) => {
        triesTo(() => decodeRecord(any), "notARepository", "newerFormat");
      },
    ),
  );
});
