import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemRandom } from "#platform/random.ts";
import { LocalStore } from "#storage/local.ts";
import { MemoryStore } from "#storage/memory.ts";
import { EngineCore } from "./engine-core.ts";
import { RepositoryError } from "./engine-types.ts";

const folder = mkdtempSync(join(tmpdir(), "restore-moved-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const CHUNK = 65536;
const hourUs = 3600 * 1_000_000;
const tenant = "tenant";
let names = 0;

/** An engine whose next wait for bandwidth runs `meanwhile` first. */
async function makeWorld(store: LocalStore | MemoryStore) {
  let nowUs = 1_800_000_000_000_000;
  let meanwhile: (() => Promise<void>) | undefined;
  const clock = {
    nowUs: () => ++nowUs,
    async sleep(ms: number, signal?: AbortSignal): Promise<void> {
      const work = meanwhile;
      meanwhile = undefined;
      await work?.();
      // The session's own waits last until it ends.
      if (ms >= 60_000) await new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
    },
  };
  const options = { indexPath: join(folder, `${++names}.db`), masterKey: new Uint8Array(32).fill(1), laneCount: 1 };
  const core = await EngineCore.over(store, { ...options, bandwidth: { taskBytes: 64 * CHUNK } }, systemRandom, clock);
  const path = join(folder, "disk");
  const first = randomBytes(200 * CHUNK);
  // Every fifth chunk is the first backup's.
  const second = Buffer.from(first);
  for (let chunk = 0; chunk < 200; chunk++) if (chunk % 5 > 0) randomBytes(CHUNK).copy(second, chunk * CHUNK);
  for (const [backupId, content] of Object.entries({ first, second })) {
    writeFileSync(path, content);
    await core.backup({ tenant, backupId, source: { kind: "file", path }, document: {}, chunkBytes: CHUNK, compressionLevel: 0 }, {});
  }
  await core.deleteRoot(tenant, "first");
  const collect = async () => {
    nowUs += 2 * hourUs;
    return (await core.collect({ tenant, dryRun: false, graceUs: hourUs, maxCondemnRatio: 1, compactBelowRatio: 0.5, orphanUs: 24 * hourUs }, {}))
      .done;
  };
  return {
    core,
    second,
    collect,
    restore: async (work: () => Promise<void>, allowHoles = false) => {
      meanwhile = work;
      const target = join(folder, "restored");
      const outcome = await core.restore(
        { tenant, backupId: "second", target: { kind: "file", path: target }, sizeBytes: second.length, allowHoles },
        {},
      );
      assert.equal(meanwhile, undefined, "something happened meanwhile");
      return { outcome, content: readFileSync(target) };
    },
  };
}

const stores = { local: () => LocalStore.open(join(folder, "store")), memory: () => Promise.resolve(new MemoryStore()) };

for (const [kind, open] of Object.entries(stores)) {
  test(`a pack that is compacted away under a restore is followed to where its chunks went (${kind})`, async () => {
    const { core, second, collect, restore } = await makeWorld(await open());
    let compacted = 0;
    let deleted = 0;
    const { outcome, content } = await restore(async () => {
      for (let round = 0; round < 3; round++) {
        const done = await collect();
        compacted += done.compacted;
        deleted += done.deleted;
      }
    });
    assert.ok(compacted > 0 && deleted > 0, `${compacted} compacted, ${deleted} deleted`);
    assert.ok(content.equals(second));
    assert.deepEqual([outcome.lost, outcome.writtenBytes], [[], second.length]);
    await core.close();
  });
}

test("a pack that is gone and was not moved is lost: the restore fails, or leaves holes and tells them", async () => {
  const store = await LocalStore.open(join(folder, "store-of-losses"));
  const { core, second, restore } = await makeWorld(store);
  let largest = { key: "", size: 0 };
  for await (const object of store.list("t/")) if (object.size > largest.size) largest = object;
  const lose = (): Promise<void> => store.delete(largest.key);
  await assert.rejects(restore(lose), (error) => error instanceof RepositoryError && error.code === "missingChunk" && /is gone/.test(error.message));
  const { outcome, content } = await restore(() => Promise.resolve(), true);
  const expected = Buffer.from(second);
  for (const { offset, length, reason } of outcome.lost) {
    expected.fill(0, offset, offset + length);
    assert.match(reason, /is gone/);
  }
  assert.ok(outcome.lost.length > 0 && outcome.writtenBytes > 0 && outcome.writtenBytes < second.length);
  assert.ok(content.equals(expected));
  assert.deepEqual(
    (await core.damage(tenant, "second"))[0]!.ranges.map(({ offset, length }) => [offset, length]),
    outcome.lost.map(({ offset, length }) => [offset, length]),
  );
  await core.close();
});
