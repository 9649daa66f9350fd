import assert from "node:assert/strict";
import fc from "fast-check";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleBackup, sampleCheckpoint, sampleProject, sampleTask, sampleVault } from "./samples.ts";
import type { BackupSortKey, Catalog, Sort } from "./tables.ts";

const sortKeys: BackupSortKey[] = ["created_at", "updated_at", "name", "status", "protected_at", "id", "size", "resource_id"];
const sorts = fc.array(fc.record({ key: fc.constantFrom(...sortKeys), direction: fc.constantFrom("asc" as const, "desc" as const) }), {
  maxLength: 3,
});

/** Few distinct values and many nulls, so that ties are the rule. */
async function fill(catalog: Catalog, count: number): Promise<void> {
  const vault = sampleVault();
  const checkpoint = sampleCheckpoint({ vaultId: vault.id });
  await catalog.transaction(async (tables) => {
    await tables.vaults.insert(vault);
    await tables.checkpoints.insert(checkpoint);
    for (let i = 0; i < count; i++) {
      const pick = <T>(modulus: number, values: T[]): T => values[(i * 7) % modulus]!;
      await tables.backups.insert(
        sampleBackup({
          vaultId: vault.id,
          checkpointId: checkpoint.id,
          name: pick(3, [null, "", "b"]),
          status: pick(2, ["available", "error"]),
          createdAt: pick(5, [1, 2, 3, 4, 5]),
          updatedAt: pick(3, [null, 1, 2]),
          protectedAt: pick(2, [null, 0]),
          resourceSizeGib: pick(4, [1, 2, 3, 4]),
          resourceId: pick(2, ["r1", "r2"]),
        }),
      );
    }
  });
}

onEachDatabase("pages put together are the whole list, by offset and by marker alike, under any sort", async (catalog) => {
  const total = 23;
  await fill(catalog, total);
  const list = async (sort: Sort<BackupSortKey>[], page: { limit: number; offset: number; marker?: string }) => {
    const { items, count } = await catalog.backups.list(sampleProject, {}, page, sort);
    assert.equal(count, total);
    return items.map(({ backup }) => backup.id);
  };
  await fc.assert(
    fc.asyncProperty(sorts, fc.integer({ min: 1, max: 25 }), async (sort, limit) => {
      const whole = await list(sort, { limit: 1000, offset: 0 });
      assert.equal(new Set(whole).size, total);
      const byOffset: string[] = [];
      for (let offset = 0; offset < total; offset += limit) byOffset.push(...(await list(sort, { limit, offset })));
      assert.deepEqual(byOffset, whole);
      const byMarker = await list(sort, { limit, offset: 0 });
      for (let more = byMarker; more.length > 0; byMarker.push(...more)) more = await list(sort, { limit, offset: 0, marker: byMarker.at(-1)! });
      assert.deepEqual(byMarker, whole);
    }),
    { numRuns: 30 },
  );
});

onEachDatabase("a list is sorted by its keys in turn, then by id", async (catalog) => {
  await fill(catalog, 23);
  const { items } = await catalog.backups.list(sampleProject, {}, { limit: 100, offset: 0 }, [
    { key: "status", direction: "desc" },
    { key: "created_at", direction: "asc" },
  ]);
  const seen = items.map(({ backup }) => backup);
  const sorted = seen.toSorted((a, b) =>
    a.status !== b.status ? (a.status < b.status ? 1 : -1) : a.createdAt !== b.createdAt ? a.createdAt - b.createdAt : a.id < b.id ? -1 : 1,
  );
  assert.deepEqual(seen, sorted);
});

onEachDatabase("a marker that nobody may see gives an empty page; one that no longer matches still marks its place", async ({ tasks }) => {
  const foreign = sampleTask({ projectId: "1".repeat(32) });
  const all = [1, 2, 3].map((createdAt) => sampleTask({ createdAt, type: createdAt === 2 ? "restore" : "backup" }));
  for (const task of [foreign, ...all]) await tasks.insert(task);
  const page = { limit: 10, offset: 0 };
  assert.deepEqual(await tasks.list(sampleProject, {}, { ...page, marker: "none" }), { items: [], count: 3 });
  assert.deepEqual(await tasks.list(sampleProject, {}, { ...page, marker: foreign.id }), { items: [], count: 3 });
  assert.deepEqual((await tasks.list(sampleProject, { type: "backup" }, { ...page, marker: all[1]!.id })).items, [all[0]]);
  assert.deepEqual((await tasks.list(sampleProject, {}, { limit: 10, offset: 1, marker: all[2]!.id })).items, [all[0]]);
  assert.deepEqual((await tasks.list(sampleProject, {}, { limit: 0, offset: 0 })).items, []);
});
