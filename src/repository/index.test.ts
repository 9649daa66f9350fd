import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { MemoryStore } from "#storage/memory.ts";
import type { ObjectStore } from "#storage/store.ts";
import { noise, packIdOf, packOf, refusedAs, sampleKeys, tenant } from "./codec-samples.ts";
import { ChunkIndex } from "./index.ts";
import type { IndexedPack } from "./index.ts";
import { chunkIdOf } from "./keys.ts";
import { packObjectKey } from "./layout.ts";
import { openRecord } from "./pack.ts";
import type { FinishedPack } from "./pack.ts";

const folder = mkdtempSync(join(tmpdir(), "opencbr-index-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;
const newPath = (): string => join(folder, `${count++}.sqlite`);
const repositoryId = "00112233-4455-4677-8899-aabbccddeeff";
const other = "f".repeat(32);

function openIndex(t: TestContext, path = newPath()): ChunkIndex {
  const index = ChunkIndex.open(path, repositoryId);
  t.after(() => {
    try {
      index.close();
    } catch {
      // The test closed it.
    }
  });
  return index;
}

const plainOf = (number: number): Uint8Array => noise(number, 300 + number);
const idOf = (number: number): Uint8Array => chunkIdOf(sampleKeys, plainOf(number));
const packWith = (number: number, chunks: readonly number[]): FinishedPack => packOf(number, chunks.map(plainOf));
const indexed = (pack: FinishedPack): IndexedPack => ({ packId: pack.packId, kind: pack.kind, sizeBytes: pack.bytes.length, entries: pack.entries });
const put = (store: ObjectStore, pack: FinishedPack): Promise<unknown> => store.putIfAbsent(pack.key, [pack.bytes]);

/** Each of these chunks, opened where the index says it is. */
async function readable(index: ChunkIndex, store: ObjectStore, chunks: readonly number[]): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const [at, place] of index.lookup(tenant, chunks.map(idOf)).entries()) {
    if (!place) {
      found.push(false);
      continue;
    }
    const record = await store.get(packObjectKey(tenant, place.packId), { offset: place.offset, length: place.length });
    const plain = openRecord(sampleKeys, place.packId, record, { slot: place.slot, id: idOf(chunks[at]!), plainLength: place.plainLength });
    assert.deepEqual(Buffer.from(plain), Buffer.from(plainOf(chunks[at]!)));
    found.push(true);
  }
  return found;
}

test("an id is found where it was first stored, by its own tenant only", (t) => {
  const index = openIndex(t);
  const [one, two] = [packWith(1, [1, 2]), packWith(2, [2, 3])];
  index.addPack(tenant, indexed(one));
  index.addPack(tenant, indexed(two));
  index.addPack(tenant, indexed(two));
  const found = index.lookup(tenant, [3, 2, 9, 1].map(idOf));
  assert.deepEqual(
    found.map((place) => place && Buffer.from(place.packId)),
    [two, one, undefined, one].map((pack) => pack && Buffer.from(pack.packId)),
  );
  const { id: _id, compressed: _compressed, ...place } = two.entries[1]!;
  assert.deepEqual({ ...found[0], packId: 0 }, { ...place, packId: 0, kind: "data" });
  assert.deepEqual(index.lookup(other, [idOf(1)]), [undefined]);
  assert.equal(index.packCountOf(tenant), 2);
  assert.equal(index.packCountOf(other), 0);
  assert.deepEqual(
    [...index.packsOf(tenant)].map((pack) => [pack.sizeBytes, pack.recordCount]),
    [one, two].map((pack) => [pack.bytes.length, 2]),
  );
  assert.deepEqual([index.hasPack(one.packId), index.hasPack(packIdOf(77))], [true, false]);
  index.addPack(other, indexed(packWith(3, [1])));
  assert.deepEqual(Buffer.from(index.lookup(other, [idOf(1)])[0]!.packId), Buffer.from(packIdOf(3)));
});

test("what was added is there after reopening; another repository's index and other files are refused", (t) => {
  const path = newPath();
  const first = ChunkIndex.open(path, repositoryId);
  first.addPack(tenant, indexed(packWith(1, [1])));
  first.close();
  assert.throws(() => ChunkIndex.open(path, "ffffffff-4455-4677-8899-aabbccddeeff"), refusedAs("notARepository"));
  assert.ok(openIndex(t, path).lookup(tenant, [idOf(1)])[0]);
  const garbage = newPath();
  writeFileSync(garbage, noise(1, 5000));
  assert.throws(() => ChunkIndex.open(garbage, repositoryId), refusedAs("notARepository"));
  const foreign = newPath();
  const database = new DatabaseSync(foreign);
  database.exec("CREATE TABLE mine (x)");
  database.close();
  assert.throws(() => ChunkIndex.open(foreign, repositoryId), refusedAs("notARepository"));
  const later = new DatabaseSync(path);
  later.exec("UPDATE meta SET value = '2' WHERE name = 'version'");
  later.close();
  assert.throws(() => ChunkIndex.open(path, repositoryId), refusedAs("newerFormat"));
});

test("a pack that cannot be added leaves no trace", (t) => {
  const index = openIndex(t);
  const pack = indexed(packWith(1, [1, 2]));
  const broken = { ...pack, entries: [pack.entries[0]!, { ...pack.entries[1]!, slot: "x" as unknown as number }] };
  assert.throws(() => index.addPack(tenant, broken));
  assert.deepEqual([index.hasPack(pack.packId), ...index.lookup(tenant, [idOf(1)])], [false, undefined]);
  index.addPack(tenant, pack);
  assert.ok(index.lookup(tenant, [idOf(2)])[0]);
});

test("packs of pages are counted once each", (t) => {
  const index = openIndex(t);
  for (const number of [1, 2, 3]) index.addPack(tenant, indexed(packWith(number, [number])));
  const [a, b, hole] = [noise(1, 32), noise(2, 32), new Uint8Array(32)];
  index.recordPagePacks(tenant, a, [packIdOf(1), packIdOf(2), packIdOf(1)]);
  index.recordPagePacks(tenant, b, [packIdOf(2), packIdOf(3)]);
  assert.equal(index.countPacks(tenant, [a]), 2);
  assert.equal(index.countPacks(tenant, [a, hole, b, a]), 3);
  assert.equal(index.countPacks(tenant, [hole]), 0);
  index.recordPagePacks(tenant, b, [packIdOf(1)]);
  assert.equal(index.countPacks(tenant, [a, b]), 2);
  assert.deepEqual(index.pagesWithoutPacks(tenant, [a, noise(3, 32), hole]), [noise(3, 32)]);
  assert.deepEqual([index.hasPagePacks(tenant, a), index.hasPagePacks(other, a)], [true, false]);
  assert.throws(() => index.countPacks(tenant, [noise(3, 32)]), refusedAs("missingChunk"));
  assert.throws(() => index.countPacks(other, [a]), refusedAs("missingChunk"));
  assert.throws(() => index.recordPagePacks(tenant, a, [packIdOf(9)]), refusedAs("missingChunk"));
  assert.equal(index.countPacks(tenant, [a]), 2);
});

test("a lost index is rebuilt from the packs, also from one without its trailer", async (t) => {
  const store = new MemoryStore();
  const whole = packWith(1, [1, 2]);
  const cut = packWith(2, [3, 4]);
  await put(store, whole);
  await store.putIfAbsent(cut.key, [cut.bytes.subarray(0, cut.bytes.length - 10)]);
  await store.putIfAbsent(packObjectKey(tenant, packIdOf(3)), [noise(1, 3000)]);
  await store.putIfAbsent(packObjectKey(tenant, packIdOf(4)), [whole.bytes]);
  await store.putIfAbsent(packObjectKey(tenant, packIdOf(5)), []);
  await store.putIfAbsent(`t/${tenant}/roots/x`, [noise(2, 100)]);
  const index = openIndex(t);
  const result = await index.reconcile(store);
  assert.deepEqual([result.added, result.dropped], [2, 0]);
  assert.deepEqual(result.damaged.map(({ key }) => key).toSorted(), [3, 4, 5].map((number) => packObjectKey(tenant, packIdOf(number))).toSorted());
  assert.deepEqual(await readable(index, store, [1, 2, 3, 4]), [true, true, true, true]);
  assert.deepEqual([(await index.reconcile(store)).added], [0]);
});

test("a trailer longer than the first read is read whole", async (t) => {
  const store = new MemoryStore();
  const many = packOf(
    1,
    Array.from({ length: 600 }, (_, number) => noise(number, 20)),
  );
  await put(store, many);
  const index = openIndex(t);
  assert.equal((await index.reconcile(store)).added, 1);
  assert.equal([...index.packsOf(tenant)][0]?.recordCount, 600);
  assert.deepEqual(index.lookup(tenant, [many.entries[599]!.id])[0]?.slot, 599);
});

test("packs that are gone are dropped, and what has a second copy is found there", async (t) => {
  const store = new MemoryStore();
  const index = openIndex(t);
  for (const pack of [packWith(1, [1, 2]), packWith(2, [2, 3]), packWith(3, [4])]) {
    await put(store, pack);
    index.addPack(tenant, indexed(pack));
  }
  index.recordPagePacks(tenant, noise(1, 32), [packIdOf(3)]);
  await store.delete(packObjectKey(tenant, packIdOf(1)));
  assert.deepEqual(await index.reconcile(store), { added: 0, dropped: 1, damaged: [] });
  assert.deepEqual(await readable(index, store, [1, 2, 3, 4]), [false, true, true, true]);
  assert.equal(index.hasPagePacks(tenant, noise(1, 32)), false);
});

test("whatever happens to packs and index, after reconcile the index finds exactly what the store has", async () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("store" as const), chunks: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 4 }), told: fc.boolean() }),
    fc.record({ kind: fc.constant("lose" as const), which: fc.nat(9) }),
    fc.record({ kind: fc.constant("reconcile" as const) }),
    fc.record({ kind: fc.constant("deleteIndex" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 14 }), async (actions) => {
      const store = new MemoryStore();
      let index = ChunkIndex.open(newPath(), repositoryId);
      const packs: { key: string; chunks: number[] }[] = [];
      let made = 0;
      for (const step of actions) {
        if (step.kind === "store") {
          const pack = packWith(100 + made++, step.chunks);
          await put(store, pack);
          packs.push({ key: pack.key, chunks: step.chunks });
          if (step.told) index.addPack(tenant, indexed(pack));
        } else if (step.kind === "lose") {
          const [lost] = packs.splice(step.which % Math.max(1, packs.length), 1);
          if (lost) await store.delete(lost.key);
        } else if (step.kind === "reconcile") await index.reconcile(store);
        else {
          index.close();
          index = ChunkIndex.open(newPath(), repositoryId);
        }
      }
      await index.reconcile(store);
      const chunks = Array.from({ length: 10 }, (_, number) => number);
      assert.deepEqual(
        await readable(index, store, chunks),
        chunks.map((chunk) => packs.some((pack) => pack.chunks.includes(chunk))),
      );
      assert.equal(index.packCountOf(tenant), packs.length);
      index.close();
    }),
    { numRuns: 40 },
  );
});

test("a comparison that was interrupted after it had dropped packs still looks for what they held", async (t) => {
  const store = new MemoryStore();
  const index = openIndex(t);
  const [one, two] = [packWith(1, [1, 2]), packWith(2, [2, 3])];
  await put(store, two);
  for (const pack of [one, two]) index.addPack(tenant, indexed(pack));
  index.dropPacks([one.packId]);
  assert.deepEqual(await readable(index, store, [2, 3]), [false, true]);
  assert.equal(index.needsRefill, true);
  await index.reconcile(store);
  assert.deepEqual(await readable(index, store, [2, 3]), [true, true]);
  assert.equal(index.needsRefill, false);
});
