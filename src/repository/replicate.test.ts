import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import { LocalStore } from "#storage/local.ts";
import { MemoryStore } from "#storage/memory.ts";
import { EngineCore } from "./engine-core.ts";
import { RepositoryError } from "./engine-types.ts";
import { decodeChunks, decodeList, decodeOffer } from "./offer.ts";

const folder = mkdtempSync(join(tmpdir(), "replicate-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const chunkBytes = 65_536;
const masterKey = new Uint8Array(32).fill(3);
let files = 0;
const fresh = (): string => join(folder, String(++files));
const open = (store = new MemoryStore()): Promise<EngineCore> =>
  EngineCore.over(store, { indexPath: fresh(), masterKey, laneCount: 2 }, systemRandom);

/** A disk with data at its beginning and its end, holes in between, and a last chunk that is cut short. */
function disk(): { path: string; bytes: Buffer; write: () => void } {
  const path = fresh();
  const bytes = Buffer.alloc(80 * MIB + 12_345);
  bytes.set(systemRandom.bytes(9 * MIB), 3 * MIB);
  bytes.set(systemRandom.bytes(40_000), bytes.length - 40_000);
  const write = (): void => writeFileSync(path, bytes);
  write();
  return { path, bytes, write };
}

const backup = (core: EngineCore, tenant: string, backupId: string, path: string, baseId?: string) =>
  core.backup(
    { tenant, backupId, source: { kind: "file", path }, document: {}, chunkBytes, compressionLevel: 1, ...(baseId === undefined ? {} : { baseId }) },
    {},
  );

const replicate = (core: EngineCore, from: string, of: string, tenant: string, backupId: string) =>
  core.replicate({ tenant, backupId, from: { kind: "tenant", tenant: from, backupId: of }, document: { copied: true }, compressionLevel: 1 }, {});

async function contentOf(core: EngineCore, tenant: string, backupId: string, sizeBytes: number): Promise<Buffer> {
  const path = fresh();
  await core.restore({ tenant, backupId, target: { kind: "file", path }, sizeBytes }, {});
  return readFileSync(path);
}

test("a copy is the same image under the other tenant's keys; the next one moves only what has changed", { timeout: 120_000 }, async () => {
  const core = await open();
  const { path, bytes, write } = disk();
  await backup(core, "a", "one", path);
  const first = await replicate(core, "a", "one", "b", "copy-1");
  assert.ok(first.receivedBytes > 9 * MIB);
  assert.equal(first.dataBytes, (await core.readRoot("a", "one"))!.statistics.dataBytes);
  assert.deepEqual((await core.readRoot("b", "copy-1"))!.document, { copied: true });
  assert.notEqual((await core.readRoot("b", "copy-1"))!.merkleRoot, (await core.readRoot("a", "one"))!.merkleRoot);

  bytes.set(systemRandom.bytes(100_000), 5 * MIB);
  bytes.fill(0, 70 * MIB);
  bytes.copy(bytes, 20 * MIB, 3 * MIB, 4 * MIB);
  write();
  await backup(core, "a", "two", path, "one");
  const second = await replicate(core, "a", "two", "b", "copy-2");
  assert.ok(second.receivedBytes < 4 * chunkBytes + 3 * 32_768, `${second.receivedBytes} bytes for a change of some chunks`);
  assert.ok(second.newChunks <= 3);
  await core.deleteRoot("a", "one");
  await core.deleteRoot("a", "two");
  assert.ok((await contentOf(core, "b", "copy-2", bytes.length)).equals(bytes));

  const again = await replicate(core, "b", "copy-2", "c", "copy-of-copy");
  assert.equal(again.digest.length, 64);
  assert.ok((await contentOf(core, "c", "copy-of-copy", bytes.length)).equals(bytes));
  const within = await replicate(core, "c", "copy-of-copy", "c", "beside");
  assert.equal(within.newChunks, 0);
  assert.ok(within.receivedBytes < MIB, "a copy within a tenant moves nothing");
  assert.ok((await contentOf(core, "c", "beside", bytes.length)).equals(bytes));
  await core.close();
});

test(
  "what the destination has lost is fetched again, and a row of the known references that lies is not believed",
  { timeout: 120_000 },
  async () => {
    const storePath = fresh();
    mkdirSync(storePath);
    const indexPath = fresh();
    const openAgain = (): Promise<EngineCore> => EngineCore.open({ storePath, indexPath, masterKey, laneCount: 2 }, systemRandom);
    const core = await openAgain();
    const { path, bytes } = disk();
    await backup(core, "a", "one", path);
    await replicate(core, "a", "one", "b", "copy-1");
    await core.close();

    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(indexPath);
    const [some] = database.prepare("SELECT id, tag FROM replica_refs LIMIT 1").all() as { id: Uint8Array; tag: Uint8Array }[];
    assert.ok(Number(database.prepare("UPDATE replica_refs SET id = ?, tag = ?").run(some!.id, some!.tag).changes) > 100);
    database.close();
    const lying = await openAgain();
    await replicate(lying, "a", "one", "b", "copy-2");
    assert.ok((await contentOf(lying, "b", "copy-2", bytes.length)).equals(bytes));
    await lying.close();

    const store = await LocalStore.open(storePath);
    const packs: string[] = [];
    for await (const { key } of store.list("t/b/packs/")) packs.push(key);
    for (const key of packs) await store.delete(key);
    await store.close();
    const healed = await openAgain();
    const outcome = await replicate(healed, "a", "one", "b", "copy-3");
    assert.ok(outcome.receivedBytes > 9 * MIB);
    assert.ok((await contentOf(healed, "b", "copy-3", bytes.length)).equals(bytes));
    await healed.close();
  },
);

test("a backup that is not there, or is damaged, is not copied, and nothing is left of the attempt", { timeout: 120_000 }, async () => {
  const store = new MemoryStore();
  const core = await open(store);
  const { path } = disk();
  const code = (expected: string) => (error: unknown) => error instanceof RepositoryError && error.code === expected;
  await assert.rejects(replicate(core, "a", "one", "b", "copy"), code("missingRoot"));
  await backup(core, "a", "one", path);
  const packs: string[] = [];
  for await (const { key } of store.list("t/a/packs/")) packs.push(key);
  const largest = (await Promise.all(packs.map(async (key) => ({ key, bytes: await store.get(key) })))).sort(
    (x, y) => y.bytes.length - x.bytes.length,
  )[0]!;
  await store.delete(largest.key);
  const rotten = Buffer.from(largest.bytes);
  for (let at = 200; at < rotten.length; at += 30_000) rotten[at]! ^= 1;
  await store.putIfAbsent(largest.key, [rotten]);
  await assert.rejects(replicate(core, "a", "one", "b", "copy"), code("corruptChunk"));
  assert.deepEqual(await core.listRoots("b"), []);
  await core.close();
});

test("fuzz: bytes that are no answer of a source are refused by name", () => {
  const ref = new Uint8Array(32).fill(1);
  const refuses = (work: () => unknown): void => {
    assert.throws(work, (error) => error instanceof RepositoryError && ["originDamaged", "corruptPage", "newerFormat"].includes(error.code));
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      refuses(() => decodeOffer(bytes));
      refuses(() => decodeList(bytes, ref));
      refuses(() => [...decodeChunks(bytes, [{ ref, plainLength: 100 }])]);
    }),
  );
});
