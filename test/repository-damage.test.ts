/**
 * Damage of every kind at random places of a small repository: each case is found by a check or by a read, what the check calls sound reads right,
 * and wrong bytes are never given out. `OPENCBR_DAMAGE_SEED` replays another row of cases.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemRandom } from "#platform/random.ts";
import { CheckRun } from "#repository/check.ts";
import { EngineCore } from "#repository/engine-core.ts";
import { RepositoryReader } from "#repository/engine-reader.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { CheckOutcome } from "#repository/engine-types.ts";
import { ChunkIndex } from "#repository/index.ts";
import { readRecord, loadTenantKeys, openRepository } from "#repository/repository-record.ts";
import { MemoryStore } from "#storage/memory.ts";
import { StorageError } from "#storage/store.ts";

const chunk = 65_536;
const tenant = "tenant";
const masterKey = new Uint8Array(32).fill(9);
const firstSeed = Number(process.env["OPENCBR_DAMAGE_SEED"] ?? 1);
const folder = mkdtempSync(join(tmpdir(), "repository-damage-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Keeps its objects when an engine over it closes. */
class KeptStore extends MemoryStore {
  override async close(): Promise<void> {}
}

type Objects = Map<string, Uint8Array>;
const contents = new Map<string, Buffer>();
let sound: Objects;
let soundIndex: Uint8Array;

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Chunks of all sorts: text that compresses, noise that does not, holes, repetitions, a last one that is short. */
function image(seed: number): Buffer {
  const random = randomOf(seed);
  const bytes = Buffer.alloc(4 * chunk + 777);
  for (let at = 0; at * chunk < bytes.length; at++) {
    const kind = (seed + at) % 4;
    const part = bytes.subarray(at * chunk, (at + 1) * chunk);
    if (kind === 0) for (let byte = 0; byte < part.length; byte++) part[byte] = random(256);
    else if (kind === 1) part.fill(`chunk ${at % 3} of the image`);
    else if (kind === 2) part.fill(`${seed}/${at}`);
  }
  return bytes;
}

before(async () => {
  const store = new KeptStore();
  const indexPath = join(folder, "index.db");
  const core = await EngineCore.over(store, { indexPath, masterKey, laneCount: 1 }, systemRandom);
  const path = join(folder, "disk");
  for (const [backupId, seed, baseId] of [
    ["one", 1, undefined],
    ["two", 2, "one"],
    ["three", 3, undefined],
  ] as const) {
    contents.set(backupId, image(seed));
    writeFileSync(path, image(seed));
    const request = { tenant, backupId, source: { kind: "file" as const, path }, document: { seed }, chunkBytes: chunk, compressionLevel: 1 };
    await core.backup({ ...request, ...(baseId && { baseId }) }, {});
  }
  await core.close();
  sound = await objectsOf(store);
  const database = new DatabaseSync(indexPath);
  database.exec("PRAGMA journal_mode = DELETE");
  database.close();
  soundIndex = readFileSync(indexPath);
});

async function objectsOf(store: MemoryStore): Promise<Objects> {
  const objects: Objects = new Map();
  for await (const { key } of store.list("")) objects.set(key, await store.get(key));
  return objects;
}

async function storeOf(objects: Objects): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const [key, bytes] of objects) await store.putIfAbsent(key, [bytes]);
  return store;
}

const mutations = ["flip", "truncate", "delete", "swap", "zero", "extend", "exchange"] as const;

/** The repository with one thing wrong, or undefined when the dice made no change. */
function mutate(random: (below: number) => number): { what: string; objects: Objects } | undefined {
  const objects: Objects = new Map([...sound].map(([key, bytes]) => [key, Uint8Array.from(bytes)]));
  const keys = [...objects.keys()].filter((key) => key === "opencbr-repository.json" || /^t\/[^/]+\/(packs|roots|key$)/.test(key));
  const key = keys[random(keys.length)]!;
  const bytes = objects.get(key)!;
  const mutation = mutations[random(mutations.length)]!;
  const what = `${mutation} ${key}`;
  if (mutation === "flip") bytes[random(bytes.length)]! ^= 1 << random(8);
  else if (mutation === "truncate") objects.set(key, bytes.slice(0, random(bytes.length)));
  else if (mutation === "delete") objects.delete(key);
  else if (mutation === "extend") objects.set(key, Buffer.concat([bytes, Buffer.alloc(1 + random(200), 0x80 | random(128))]));
  else if (mutation === "zero") bytes.fill(0, random(bytes.length), random(bytes.length));
  else if (mutation === "swap") {
    const folderOf = (name: string): string => name.split("/").slice(0, 3).join("/");
    const others = keys.filter((other) => other !== key && folderOf(other) === folderOf(key));
    if (others.length === 0) return undefined;
    const other = others[random(others.length)]!;
    objects.set(key, objects.get(other)!).set(other, bytes);
  } else {
    const [from, to, length] = [random(bytes.length), random(bytes.length), 1 + random(500)];
    bytes.copyWithin(to, from, from + length);
  }
  const isSame = [...sound].every(([name, before]) => {
    const now = objects.get(name);
    return now !== undefined && Buffer.compare(before, now) === 0;
  });
  return isSame ? undefined : { what, objects };
}

const isExpected = (error: unknown): boolean => error instanceof RepositoryError || error instanceof StorageError;

/** What is found: by the check (`outcome`), or by an error before one could be made. */
async function look(store: MemoryStore, openIndex: () => ChunkIndex, what: string): Promise<{ outcome: CheckOutcome | undefined; wrong: boolean }> {
  let index: ChunkIndex | undefined;
  try {
    await openRepository(store, masterKey);
    const keys = await loadTenantKeys(store, masterKey, tenant);
    if (keys === undefined) return { outcome: undefined, wrong: true };
    index = openIndex();
    await index.reconcile(store);
    // Read first, as a restore before any check would.
    const failed = await readAll(store, index, keys, what);
    const outcome = await new CheckRun({ store, index }, { tenant, nowUs: 1, readData: { percent: 100 } }, keys, {}).run();
    const unread = await readAll(store, index, keys, what);
    const known = await told(store, outcome);
    for (const [backupId, offsets] of unread) {
      const damage = known.get(backupId);
      assert.ok(damage, `${what}: ${backupId} cannot be read at ${offsets.join()}, and the check does not say so`);
      for (const offset of offsets)
        assert.ok(damage === "all" || damage.some((range) => offset >= range.offset && offset < range.offset + range.length), `${what}: ${offset}`);
    }
    const wrong = failed.size > 0 || known.size > 0 || outcome.findingCount > 0;
    return { outcome, wrong };
  } catch (error) {
    if (!isExpected(error) && (error as { code?: string }).code !== "ERR_SQLITE_ERROR") throw error;
    return { outcome: undefined, wrong: true };
  } finally {
    index?.close();
  }
}

/** Damage by backup, with those whose root object is gone, which the catalog would miss. */
async function told(store: MemoryStore, outcome: CheckOutcome): Promise<Map<string, "all" | { offset: number; length: number }[]>> {
  const known = new Map<string, "all" | { offset: number; length: number }[]>();
  for (const { backupId, ranges, reason } of outcome.damagedBackups) known.set(backupId, reason === null ? ranges : "all");
  for (const backupId of contents.keys()) if ((await store.stat(`t/${tenant}/roots/${backupId}`)) === undefined) known.set(backupId, "all");
  return known;
}

/** Reads every backup chunk by chunk. What is read must be right; tells where reading failed. */
async function readAll(
  store: MemoryStore,
  index: ChunkIndex,
  keys: NonNullable<Awaited<ReturnType<typeof loadTenantKeys>>>,
  what: string,
): Promise<Map<string, number[]>> {
  const reader = new RepositoryReader(store, index);
  const failed = new Map<string, number[]>();
  for (const [backupId, content] of contents) {
    for (let offset = 0; offset < content.length; offset += chunk) {
      const length = Math.min(chunk, content.length - offset);
      try {
        const root = await reader.root(tenant, keys, backupId);
        if (root === undefined) throw new RepositoryError("missingRoot", backupId);
        const read = await reader.range(tenant, keys, root, offset, length);
        assert.ok(content.subarray(offset, offset + length).equals(read), `${what}: wrong bytes of ${backupId} at ${offset}`);
      } catch (error) {
        if (!isExpected(error)) throw error;
        failed.set(backupId, [...(failed.get(backupId) ?? []), offset]);
      }
    }
  }
  return failed;
}

const memoryIndex = (repositoryId: string) => (): ChunkIndex => ChunkIndex.over(new DatabaseSync(":memory:"), "the test's index", repositoryId);

/** An index made when everything was sound. */
async function indexBefore(repositoryId: string, database = new DatabaseSync(":memory:")): Promise<() => ChunkIndex> {
  const index = ChunkIndex.over(database, "the test's index", repositoryId);
  await index.reconcile(await storeOf(sound));
  return () => index;
}

/** The index's file with other bytes. */
function copiedIndex(bytes: Uint8Array, repositoryId: string): () => ChunkIndex {
  const path = join(folder, "case.db");
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
  writeFileSync(path, bytes);
  return () => ChunkIndex.open(path, repositoryId);
}

test("objects of the store: 1,500 cases, under an index from before and under one made afterwards", { timeout: 170_000 }, async (t) => {
  const { repositoryId } = await readRecord(await storeOf(sound));
  assert.equal((await look(await storeOf(sound), memoryIndex(repositoryId), "nothing")).wrong, false, "a sound repository is called sound");
  let cases = 0;
  for (let seed = firstSeed; cases < 1500; seed++) {
    const mutated = mutate(randomOf(seed));
    if (mutated === undefined) continue;
    cases++;
    const what = `seed ${seed}: ${mutated.what}`;
    const openIndex = seed % 2 === 0 ? memoryIndex(repositoryId) : await indexBefore(repositoryId);
    const { wrong } = await look(await storeOf(mutated.objects), openIndex, what);
    assert.ok(wrong, `${what}: nobody noticed`);
  }
  t.diagnostic(`${cases} cases`);
});

test("rows of the index: 450 cases are corrected from the packs, and everything reads", { timeout: 120_000 }, async (t) => {
  const store = await storeOf(sound);
  const { repositoryId } = await readRecord(store);
  let cases = 0;
  let repaired = 0;
  for (let seed = firstSeed; cases < 450; seed++) {
    const random = randomOf(seed);
    const database = new DatabaseSync(":memory:");
    const openIndex = await indexBefore(repositoryId, database);
    const before = rowsOf(database);
    const altered = alterRow(database, random);
    const what = `seed ${seed}: ${altered}`;
    if (before === rowsOf(database)) {
      database.close();
      continue;
    }
    cases++;
    const { outcome, wrong } = await look(store, openIndex, what);
    // A pack that the index has lost is put back when it is compared with the store, before anyone can look.
    assert.ok(wrong || altered === packGone, `${what}: nobody noticed`);
    assert.deepEqual(outcome?.damagedBackups, [], what);
    if (outcome.findings.some((finding) => finding.repaired)) repaired++;
  }
  t.diagnostic(`${cases} cases, ${repaired} corrected by the check`);
});

test("bytes of the index's file: 150 cases are noticed, or change nothing that it says", { timeout: 120_000 }, async (t) => {
  const store = await storeOf(sound);
  const { repositoryId } = await readRecord(store);
  let harmless = 0;
  for (let seed = firstSeed; seed < firstSeed + 150; seed++) {
    const random = randomOf(seed);
    const bytes = Uint8Array.from(soundIndex);
    const at = random(bytes.length);
    bytes[at]! ^= 1 << random(8);
    const what = `seed ${seed}: byte ${at} of the index`;
    const { wrong } = await look(store, copiedIndex(bytes, repositoryId), what);
    if (!wrong) harmless++;
  }
  t.diagnostic(`150 cases, ${harmless} without effect`);
});

const packGone = "a pack is not there";

/** One wrong row; tells which. */
function alterRow(database: DatabaseSync, random: (below: number) => number): string {
  const rows = database.prepare("SELECT tenant, id, pack, slot, offset, length, plain FROM records").all();
  const row = rows[random(rows.length)]!;
  const other = rows[random(rows.length)]!;
  const set = (column: string, value: unknown): string => {
    database.prepare(`UPDATE records SET ${column} = ? WHERE tenant = ? AND id = ?`).run(value as number, row["tenant"]!, row["id"]!);
    return `${column} of a record`;
  };
  const columns = ["pack", "slot", "offset", "length", "plain"];
  switch (random(5)) {
    case 0: {
      database.prepare("DELETE FROM records WHERE tenant = ? AND id = ?").run(row["tenant"]!, row["id"]!);
      return "a record is not there";
    }
    case 1:
      for (const column of columns) set(column, other[column]);
      return "a record has another's place";
    case 2:
      database.prepare("DELETE FROM packs WHERE no = ?").run(row["pack"]!);
      return packGone;
    case 3:
      database.prepare("UPDATE packs SET kind = 3 - kind, size = size + ? WHERE no = ?").run(random(3), row["pack"]!);
      return "kind or size of a pack";
    default: {
      const column = columns[random(columns.length)]!;
      return set(column, Number(row[column]) + 1 + random(100));
    }
  }
}

/** Everything that the index says, to tell whether a change changed anything. */
function rowsOf(database: DatabaseSync): string {
  const rows = ["packs", "records"].map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all());
  return JSON.stringify(rows, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value));
}
