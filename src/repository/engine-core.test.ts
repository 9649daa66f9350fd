import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemRandom } from "#platform/random.ts";
import { MemoryStore } from "#storage/memory.ts";
import { StorageError } from "#storage/store.ts";
import type { StorageErrorCode } from "#storage/store.ts";
import { EngineCore } from "./engine-core.ts";
import { RepositoryError } from "./engine-types.ts";

const folder = mkdtempSync(join(tmpdir(), "engine-core-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const tenant = "tenant";
const masterKey = new Uint8Array(32).fill(3);

/** A store without files that fails its writes of some keys on demand. */
class FailingStore extends MemoryStore {
  failure: StorageErrorCode | undefined;
  failing = /./;

  override async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    if (this.failure !== undefined && this.failing.test(key)) throw new StorageError(this.failure, key, `${this.failure} on purpose`);
    return await super.putIfAbsent(key, parts);
  }
}

function request(path: string, backupId: string, baseId?: string) {
  return {
    tenant,
    backupId,
    source: { kind: "file" as const, path },
    document: {},
    chunkBytes: 65536,
    compressionLevel: 1,
    ...(baseId && { baseId }),
  };
}

test("over a store without files: a failing store fails the backup by name, and nothing stays wrong", { timeout: 60_000 }, async () => {
  const store = new FailingStore();
  const core = await EngineCore.over(store, { indexPath: join(folder, "index.db"), masterKey, laneCount: 2 }, systemRandom);
  const content = randomBytes(3 * MIB);
  const path = join(folder, "disk");
  writeFileSync(path, content);
  const expected = { noSpace: "noSpace", readOnly: "readOnly", unavailable: "storeUnavailable" } as const;
  for (const failing of [/packs/, /roots/]) {
    for (const [failure, code] of Object.entries(expected)) {
      Object.assign(store, { failure, failing });
      await assert.rejects(core.backup(request(path, "one"), {}), (error) => error instanceof RepositoryError && error.code === code);
      assert.deepEqual(await core.listRoots(tenant), []);
    }
  }
  store.failure = undefined;
  const outcome = await core.backup(request(path, "one"), {});
  assert.equal(outcome.dataBytes, content.length);
  const target = join(folder, "restored");
  await core.restore({ tenant, backupId: "one", target: { kind: "file", path: target }, sizeBytes: content.length }, {});
  assert.ok(readFileSync(target).equals(content));
  const unchanged = await core.backup(request(path, "two", "one"), {});
  assert.equal(unchanged.newChunks, 0);
  await core.close();
});

test("more runs than are worked on at once wait their turn, and may be cancelled while they wait", { timeout: 60_000 }, async () => {
  const core = await EngineCore.over(new MemoryStore(), { indexPath: join(folder, "turns.db"), masterKey, laneCount: 1 }, systemRandom);
  const path = join(folder, "turns");
  writeFileSync(path, randomBytes(2 * MIB));
  const controller = new AbortController();
  const runs = Array.from({ length: 7 }, (_, n) => core.backup(request(path, `run-${n}`), n === 6 ? { signal: controller.signal } : {}));
  controller.abort();
  await assert.rejects(runs[6]!, (error) => error instanceof RepositoryError && error.code === "cancelled");
  const outcomes = await Promise.all(runs.slice(0, 6));
  assert.equal(
    outcomes.reduce((sum, { newBytes }) => sum + newBytes, 0),
    2 * MIB,
  );
  assert.equal((await core.listRoots(tenant)).length, 6);
  await core.close();
});
