import assert from "node:assert/strict";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import type { Extent } from "#sources/source.ts";
import { MemoryStore } from "#storage/memory.ts";
import { EngineCore } from "./engine-core.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupRequest } from "./engine-types.ts";

const CHUNK = 65536;
const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "changes-"));
let core: EngineCore;
let names = 0;
const store = new MemoryStore();
before(async () => {
  const options = { indexPath: join(folder, "index.db"), masterKey: new Uint8Array(32).fill(1), laneCount: 2 };
  core = await EngineCore.over(store, options, systemRandom);
});
after(async () => {
  await core.close();
  rmSync(folder, { recursive: true });
});

const request = (tenant: string, path: string, more: Partial<BackupRequest> = {}): BackupRequest => ({
  tenant,
  backupId: `backup-${++names}`,
  source: { kind: "file", path },
  document: {},
  chunkBytes: CHUNK,
  compressionLevel: 1,
  ...more,
});

/** Bytes that are the same for the same seed, and no zeros; a `seed` of 0 is zeros. */
const bytesOf = (seed: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (seed === 0 ? 0 : 1 + ((at * 31 + seed * 17) % 255)));

function write(path: string, sizeBytes: number, writes: { offset: number; length: number; seed: number }[]): void {
  const fd = openSync(path, "a+");
  closeSync(fd);
  const file = openSync(path, "r+");
  ftruncateSync(file, sizeBytes);
  for (const { offset, length, seed } of writes) {
    const end = Math.min(sizeBytes, offset + length);
    if (end > offset) writeSync(file, bytesOf(seed, end - offset), 0, end - offset, offset);
  }
  closeSync(file);
}

async function restored(tenant: string, backupId: string, sizeBytes: number): Promise<Buffer> {
  const target = join(folder, "restored");
  await core.restore({ tenant, backupId, target: { kind: "file", path: target }, sizeBytes }, {});
  return readFileSync(target);
}

const writesUpTo = (limit: number) =>
  fc.array(fc.record({ offset: fc.nat(limit), length: fc.integer({ min: 1, max: 3 * CHUNK }), seed: fc.nat(5) }), { maxLength: 8 });

test("with a true list of changes the backup is what a rescan would have made, figures and all", { timeout: 60_000 }, async () => {
  const limit = 30 * CHUNK;
  const property = fc.asyncProperty(
    fc.nat(limit),
    fc.nat(5 * CHUNK),
    writesUpTo(limit),
    writesUpTo(limit + 5 * CHUNK),
    async (sizeBytes, grownBytes, day1, day2) => {
      const tenant = `tenant-${++names}`;
      const path = join(folder, `disk-${names}`);
      write(path, sizeBytes, day1);
      const base = request(tenant, path);
      await core.backup(base, {});
      const size = sizeBytes + grownBytes;
      write(path, size, day2);
      const changedExtents: Extent[] = day2.map(({ offset, length }) => ({ offset, length }));
      const byList = request(tenant, path, { baseId: base.backupId, changedExtents });
      const outcome = await core.backup(byList, {});
      const byScan = request(tenant, path, { baseId: base.backupId });
      const rescan = await core.backup(byScan, {});
      assert.equal(outcome.changeList, "used");
      assert.equal(rescan.changeList, "none");
      assert.equal(outcome.dataBytes, rescan.dataBytes);
      assert.equal(outcome.unchangedBytes, rescan.unchangedBytes);
      assert.equal(outcome.objectCount, rescan.objectCount);
      assert.equal(rescan.newChunks, 0);
      const [one, other] = [await core.readRoot(tenant, byList.backupId), await core.readRoot(tenant, byScan.backupId)];
      assert.equal(one?.merkleRoot, other?.merkleRoot);
      assert.ok((await restored(tenant, byList.backupId, size)).equals(readFileSync(path)));
      rmSync(path);
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

test("only what is listed is read, and a sample, however large the disk", async () => {
  const path = join(folder, "large");
  const size = 1024 * 1024 * MIB;
  write(path, size, [
    { offset: 5 * MIB, length: 20 * MIB, seed: 1 },
    { offset: 700_000 * MIB, length: MIB, seed: 2 },
  ]);
  const base = request("large", path);
  await core.backup(base, {});
  write(path, size, [{ offset: 6 * MIB, length: 100, seed: 9 }]);
  const outcome = await core.backup(request("large", path, { baseId: base.backupId, changedExtents: [{ offset: 6 * MIB, length: 100 }] }), {});
  assert.equal(outcome.changeList, "used");
  assert.equal(outcome.newBytes, CHUNK);
  assert.equal(outcome.dataBytes, 21 * MIB);
  assert.equal(outcome.unchangedBytes, 21 * MIB - CHUNK);
  assert.ok(outcome.readBytes <= 33 * CHUNK);
});

test("a list that keeps changes to itself is refused: everything is read, and the outcome says so", async () => {
  const path = join(folder, "liar");
  write(path, 8 * MIB, [{ offset: 0, length: 8 * MIB, seed: 1 }]);
  const base = request("liar", path);
  await core.backup(base, {});
  write(path, 8 * MIB, [{ offset: 0, length: 8 * MIB, seed: 2 }]);
  const second = request("liar", path, { baseId: base.backupId, changedExtents: [] });
  const outcome = await core.backup(second, {});
  assert.equal(outcome.changeList, "refused");
  assert.ok((await restored("liar", second.backupId, 8 * MIB)).equals(readFileSync(path)));
});

test("a listed range that has become a hole is one in the backup", async () => {
  const path = join(folder, "punched");
  write(path, 4 * MIB, [{ offset: 0, length: 4 * MIB, seed: 1 }]);
  const base = request("punched", path);
  await core.backup(base, {});
  const content = readFileSync(path).fill(0, MIB, 4 * MIB);
  writeFileSync(path, content.subarray(0, MIB));
  write(path, 4 * MIB, []);
  const second = request("punched", path, { baseId: base.backupId, changedExtents: [{ offset: MIB, length: 3 * MIB }] });
  const outcome = await core.backup(second, {});
  assert.equal(outcome.changeList, "used");
  assert.equal(outcome.dataBytes, MIB);
  assert.ok((await restored("punched", second.backupId, 4 * MIB)).equals(content));
});

test("what the store has lost is read and stored again, although the list calls it clean", async () => {
  const path = join(folder, "lost");
  write(path, 4 * MIB, [{ offset: MIB, length: 2 * MIB, seed: 1 }]);
  const base = request("lost", path);
  await core.backup(base, {});
  const packs: { key: string; size: number }[] = [];
  for await (const entry of store.list("t/lost/packs/")) packs.push(entry);
  await store.delete(packs.sort((one, other) => other.size - one.size)[0]!.key);
  const found = await core.check({ tenant: "lost", nowUs: 1 }, {});
  assert.equal(found.damagedBackups.length, 1);
  const second = request("lost", path, { baseId: base.backupId, changedExtents: [] });
  const outcome = await core.backup(second, {});
  assert.equal(outcome.changeList, "used");
  assert.ok(outcome.newBytes > 0);
  assert.ok((await restored("lost", second.backupId, 4 * MIB)).equals(readFileSync(path)));
  assert.ok((await restored("lost", base.backupId, 4 * MIB)).equals(readFileSync(path)), "the base is healed by it");
});

test("without a base, and for a disk that has become shorter, the list is not used", async () => {
  const path = join(folder, "shorter");
  write(path, 4 * MIB, [{ offset: 0, length: 4 * MIB, seed: 1 }]);
  const base = request("shorter", path, { changedExtents: [] });
  const first = await core.backup(base, {});
  assert.equal(first.changeList, "none");
  assert.equal(first.newBytes + first.deduplicatedBytes, 4 * MIB);
  write(path, 3 * MIB + 5, []);
  const second = request("shorter", path, { baseId: base.backupId, changedExtents: [] });
  assert.equal((await core.backup(second, {})).changeList, "none");
  assert.ok((await restored("shorter", second.backupId, 3 * MIB + 5)).equals(readFileSync(path)));
});

test("ranges that make no sense are refused by name", async () => {
  for (const extent of [
    { offset: -1, length: 1 },
    { offset: 0, length: 0.5 },
    { offset: Number.NaN, length: 1 },
  ]) {
    await assert.rejects(
      core.backup(request("sense", "/absent", { changedExtents: [{ offset: 0, length: 1 }, extent] }), {}),
      (error) => error instanceof RepositoryError && error.code === "invalidRequest" && /changedExtents\[1\]/.test(error.message),
    );
  }
});

test("runs side by side stay within the memory that they share, and give it back", { timeout: 60_000 }, async () => {
  const paths = [1, 2, 3, 4, 5].map((seed) => {
    const path = join(folder, `side-${seed}`);
    writeFileSync(path, systemRandom.bytes(12 * MIB));
    return path;
  });
  const requests = paths.map((path) => request("side", path));
  const outcomes = await Promise.all(requests.map((each) => core.backup(each, {})));
  assert.ok(outcomes.every(({ newBytes }) => newBytes === 12 * MIB));
  const { plan, reservedBytes, peakBytes } = core.memory;
  assert.equal(reservedBytes, 0);
  assert.ok(peakBytes > 0 && peakBytes <= plan.sharedBytes);
  for (const [at, { backupId }] of requests.entries()) assert.ok((await restored("side", backupId, 12 * MIB)).equals(readFileSync(paths[at]!)));
  assert.equal(core.memory.reservedBytes, 0);
});
