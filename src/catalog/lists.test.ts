import assert from "node:assert/strict";
import fc from "fast-check";
import type { Backup, BackupStatus } from "#model/backup.ts";
import type { Task } from "#model/task.ts";
import { usedPercent } from "#model/vault.ts";
import type { Vault } from "#model/vault.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleBackup, sampleCheckpoint, sampleProject, sampleStatistics, sampleTask, sampleVault } from "./samples.ts";
import type { BackupFilter, BackupSortKey, Catalog, Listed, Page, Sort, TaskFilter } from "./tables.ts";
import type { VaultFilter } from "./vault-table.ts";

const other = "ffffffffffffffffffffffffffffff00";
const gib = 1024 ** 3;
const runs = { numRuns: 100 };

/** Everything that lists are asked for, with few values for each, so that most filters match some and not all. */
interface Rows {
  vaults: Vault[];
  backups: Backup[];
  tasks: Task[];
  /** Vault id → resources bound to it. */
  bound: Map<string, string[]>;
}

function makeRows(): Rows {
  let state = 1;
  const pick = <T>(...values: T[]): T => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return values[(state >>> 16) % values.length]!;
  };
  const vaults = Array.from({ length: 12 }, (_, n) =>
    sampleVault({
      id: `vault-${n}`,
      projectId: n % 4 === 3 ? other : sampleProject,
      name: pick("daily", "weekly"),
      status: pick("available", "deleting"),
      cloudType: pick("public", "hybrid"),
      protectType: pick("backup", "replication"),
      objectType: pick("disk", "server"),
      enterpriseProjectId: pick("0", "ep"),
      sizeGib: pick(1, 2),
      createdAt: pick(1, 2, 3),
    }),
  );
  const backups = Array.from({ length: 60 }, (_, n): Backup => {
    const vault = vaults[n % vaults.length]!;
    return sampleBackup({
      id: `backup-${n}`,
      projectId: vault.projectId,
      vaultId: vault.id,
      checkpointId: `checkpoint-${vault.id}`,
      name: pick(null, "", "Nightly_1", "nightly%", "manual"),
      status: pick("available", "error", "protecting"),
      imageType: pick("backup", "replication"),
      resourceId: pick("r1", "r2"),
      resourceName: pick("root", "data"),
      resourceAz: pick(null, "az1", "az2"),
      resourceType: pick("OS::Cinder::Volume", "OS::Nova::Server"),
      parentId: n >= 40 ? `backup-${n % 24}` : null,
      incremental: pick(true, false),
      createdAt: pick(1, 2, 3, 4),
      statistics: pick(null, { ...sampleStatistics, storedBytes: 0.25 * gib }),
    });
  });
  const tasks = Array.from({ length: 60 }, (_, n): Task => {
    const vault = vaults[n % vaults.length]!;
    return sampleTask({
      id: `task-${n}`,
      projectId: vault.projectId,
      type: pick("backup", "restore", "delete", "vault_delete"),
      status: pick("waiting", "success", "failed"),
      providerId: pick(null, "provider"),
      resourceId: pick(null, "r1", "r2"),
      resourceName: pick(null, "root"),
      vaultId: pick(null, vault.id),
      vaultName: pick(null, vault.name),
      createdAt: pick(1, 2, 3, 4),
    });
  });
  const bound = new Map(vaults.map((vault, n) => [vault.id, n % 2 === 0 ? [`bound-${n}`] : []]));
  return { vaults, backups, tasks, bound };
}

async function fill(catalog: Catalog): Promise<Rows> {
  const rows = makeRows();
  await catalog.transaction(async (tables) => {
    for (const vault of rows.vaults) {
      await tables.vaults.insert(vault);
      await tables.checkpoints.insert(sampleCheckpoint({ id: `checkpoint-${vault.id}`, projectId: vault.projectId, vaultId: vault.id }));
      for (const resourceId of rows.bound.get(vault.id) ?? [])
        await tables.vaults.bind({ vaultId: vault.id, resourceId, type: "OS::Cinder::Volume", excludeVolumes: [], suspended: false });
    }
    for (const backup of rows.backups) await tables.backups.insert(backup);
    for (const task of rows.tasks) await tables.tasks.insert(task);
  });
  return rows;
}

const usedBytes = ({ backups }: Rows, vaultId: string): number =>
  backups
    .filter((backup) => backup.vaultId === vaultId && backup.resourceType !== "OS::Nova::Server")
    .reduce((sum, backup) => sum + (backup.statistics?.storedBytes ?? 0), 0);

/** Each key of a filter as one plain test; all of those that are given must hold. */
type Tests<Filter, Noun> = { [Key in keyof Filter]-?: (noun: Noun, wanted: Exclude<Filter[Key], undefined>) => boolean };

function matching<Filter extends object, Noun extends { id: string }>(tests: Partial<Tests<Filter, Noun>>, filter: Filter, nouns: readonly Noun[]) {
  const keys = Object.keys(filter) as (keyof Filter)[];
  return nouns.filter((noun) => keys.every((key) => tests[key]!(noun, filter[key] as never)));
}

/** Up to three of the keys, each with one of its values: with more, next to nothing would be left. */
const filters = <Filter extends object>(values: { [Key in keyof Filter]: readonly Filter[Key][] }): fc.Arbitrary<Filter> =>
  fc
    .subarray(Object.entries<readonly unknown[]>(values as never), { maxLength: 3 })
    .chain((keys) => fc.record(Object.fromEntries(keys.map(([key, some]) => [key, fc.constantFrom(...some)])))) as fc.Arbitrary<Filter>;

const idsOf = (nouns: readonly { id: string }[]): string[] => nouns.map(({ id }) => id).toSorted();
const everything: Page = { limit: 1000, offset: 0 };

onEachDatabase("vaults are those that a plain look at each one finds", async (catalog) => {
  const rows = await fill(catalog);
  const tests: Partial<Tests<VaultFilter, Vault>> = {
    name: (vault, name) => vault.name === name,
    ids: (vault, ids) => ids.includes(vault.id),
    status: (vault, status) => vault.status === status,
    resourceIds: (vault, ids) => rows.bound.get(vault.id)!.some((id) => ids.includes(id)),
    cloudType: (vault, type) => vault.cloudType === type,
    protectType: (vault, type) => vault.protectType === type,
    objectType: (vault, type) => vault.objectType === type,
    enterpriseProjectId: (vault, id) => vault.enterpriseProjectId === id,
  };
  const asked = filters<VaultFilter>({
    name: ["daily", "weekly", "dail", ""],
    ids: [[], ["vault-0", "vault-3", "x"], ["vault-1", "vault-2", "vault-4", "vault-5", "vault-6"]],
    status: ["available", "deleting", "x"],
    resourceIds: [[], ["bound-0", "bound-2", "bound-3"], ["bound-4", "bound-6", "bound-8"]],
    cloudType: ["public", "hybrid"],
    protectType: ["backup", "replication", "x"],
    objectType: ["disk", "server", "turbo"],
    enterpriseProjectId: ["0", "ep", "x"],
  });
  let some = 0;
  await fc.assert(
    fc.asyncProperty(asked, fc.constantFrom(sampleProject, other), async (filter, projectId) => {
      const expected = matching(tests, filter, rows.vaults).filter((vault) => vault.projectId === projectId);
      const listed = await catalog.vaults.list(projectId, filter, everything);
      assert.deepEqual([idsOf(listed.items), listed.count], [idsOf(expected), expected.length], JSON.stringify(filter));
      if (expected.length > 0) some++;
    }),
    runs,
  );
  assert.ok(some > 10, "some filters match something");
});

onEachDatabase("backups are those that a plain look at each one finds", async (catalog) => {
  const rows = await fill(catalog);
  const vaultOf = (backup: Backup): Vault => rows.vaults.find(({ id }) => id === backup.vaultId)!;
  const tests: Partial<Tests<BackupFilter, Backup>> = {
    checkpointId: (backup, id) => backup.checkpointId === id,
    vaultId: (backup, id) => backup.vaultId === id,
    parentId: (backup, id) => backup.parentId === id,
    resourceId: (backup, id) => backup.resourceId === id,
    resourceName: (backup, name) => backup.resourceName === name,
    resourceAz: (backup, az) => backup.resourceAz === az,
    name: (backup, name) => backup.name === name,
    nameContains: (backup, text) => backup.name !== null && backup.name.toLowerCase().includes(text.toLowerCase()),
    imageType: (backup, type) => backup.imageType === type,
    resourceType: (backup, type) => backup.resourceType === type,
    statuses: (backup, statuses) => statuses.includes(backup.status),
    createdFrom: (backup, from) => backup.createdAt >= from,
    createdTo: (backup, to) => backup.createdAt <= to,
    incremental: (backup, incremental) => backup.incremental === incremental,
    vaultUsedPercent: (backup, percent) => usedPercent(vaultOf(backup), usedBytes(rows, backup.vaultId)) >= percent,
    enterpriseProjectId: (backup, id) => vaultOf(backup).enterpriseProjectId === id,
    allProjects: () => true,
  };
  const statuses: BackupStatus[][] = [[], ["available"], ["available", "error"], ["deleting"]];
  const asked = filters<BackupFilter>({
    checkpointId: ["checkpoint-vault-1", "checkpoint-vault-3"],
    vaultId: ["vault-0", "vault-1", "vault-3", "x"],
    parentId: [null, "backup-1", "backup-4"],
    resourceId: ["r1", "r2"],
    resourceName: ["root", "data"],
    resourceAz: ["az1", "az2"],
    name: ["Nightly_1", "manual", "nightly"],
    nameContains: ["night", "_", "%", "l_1", ""],
    imageType: ["backup", "replication"],
    resourceType: ["OS::Cinder::Volume", "OS::Nova::Server"],
    statuses,
    createdFrom: [0, 2, 3, 9],
    createdTo: [0, 2, 3, 9],
    incremental: [true, false],
    vaultUsedPercent: [1, 25, 50, 75, 100],
    enterpriseProjectId: ["0", "ep", "x"],
    allProjects: [true, false],
  });
  let some = 0;
  await fc.assert(
    fc.asyncProperty(asked, fc.constantFrom(sampleProject, other), async (filter, projectId) => {
      const reach = rows.backups.filter((backup) => filter.allProjects === true || backup.projectId === projectId);
      const expected = matching(tests, filter, reach);
      const listed = await catalog.backups.list(projectId, filter, everything);
      assert.deepEqual([idsOf(listed.items.map((view) => view.backup)), listed.count], [idsOf(expected), expected.length], JSON.stringify(filter));
      if (expected.length > 0) some++;
    }),
    runs,
  );
  assert.ok(some > 10, "some filters match something");
});

onEachDatabase("tasks are those that a plain look at each one finds", async (catalog) => {
  const rows = await fill(catalog);
  const tests: Partial<Tests<TaskFilter, Task>> = {
    type: (task, type) => task.type === type,
    types: (task, types) => types.includes(task.type),
    status: (task, status) => task.status === status,
    providerId: (task, id) => task.providerId === id,
    resourceId: (task, id) => task.resourceId === id,
    resourceName: (task, name) => task.resourceName === name,
    vaultId: (task, id) => task.vaultId === id,
    vaultName: (task, name) => task.vaultName === name,
    enterpriseProjectId: (task, id) => rows.vaults.find((vault) => vault.id === task.vaultId)?.enterpriseProjectId === id,
    createdFrom: (task, from) => task.createdAt >= from,
    createdTo: (task, to) => task.createdAt <= to,
    allProjects: () => true,
  };
  const asked = filters<TaskFilter>({
    type: ["backup", "restore", "collect"],
    types: [[], ["backup", "delete"], ["restore"]],
    status: ["waiting", "success", "running"],
    providerId: ["provider", "x"],
    resourceId: ["r1", "r2"],
    resourceName: ["root", "x"],
    vaultId: ["vault-0", "vault-1", "vault-3"],
    vaultName: ["daily", "weekly"],
    enterpriseProjectId: ["0", "ep", "x"],
    createdFrom: [0, 2, 3, 9],
    createdTo: [0, 2, 3, 9],
    allProjects: [true, false],
  });
  let some = 0;
  await fc.assert(
    fc.asyncProperty(asked, fc.constantFrom(sampleProject, other), async (filter, projectId) => {
      const reach = rows.tasks.filter((task) => filter.allProjects === true || task.projectId === projectId);
      const expected = matching(tests, filter, reach);
      const listed = await catalog.tasks.list(projectId, filter, everything);
      assert.deepEqual([idsOf(listed.items), listed.count], [idsOf(expected), expected.length], JSON.stringify(filter));
      if (expected.length > 0) some++;
    }),
    runs,
  );
  assert.ok(some > 10, "some filters match something");
});

/** Reads a list page by page by marker, and has something inserted after the first few pages. */
async function paged(list: (page: Page) => Promise<Listed<{ id: string }>>, limit: number, insert: () => Promise<void>): Promise<string[]> {
  const seen: string[] = [];
  for (let pages = 1; ; pages++) {
    const marker = seen.at(-1);
    const { items } = await list({ limit, offset: 0, ...(marker === undefined ? {} : { marker }) });
    seen.push(...items.map(({ id }) => id));
    if (items.length < limit) return seen;
    if (pages <= 4) await insert();
  }
}

const sortKeys: BackupSortKey[] = ["created_at", "updated_at", "name", "status", "protected_at", "id", "size", "resource_id"];
const sorts = fc.array(fc.record({ key: fc.constantFrom(...sortKeys), direction: fc.constantFrom("asc" as const, "desc" as const) }), {
  maxLength: 2,
});

onEachDatabase("whatever comes in between two pages, each item that was there is told once", async (catalog) => {
  const rows = await fill(catalog);
  const own = (nouns: readonly { projectId: string; id: string }[]): string[] => idsOf(nouns.filter((noun) => noun.projectId === sampleProject));
  let count = 0;
  const numbered = (noun: string): string => `${noun}-${count % 2 === 0 ? "0" : "z"}${count++}`;
  const check = (before: readonly string[], seen: readonly string[]): void => {
    assert.equal(new Set(seen).size, seen.length, "nothing is told twice");
    assert.deepEqual(
      before.filter((id) => !seen.includes(id)),
      [],
      "nothing is left out",
    );
  };
  const [vaults, backups, tasks] = [new Set(own(rows.vaults)), new Set(own(rows.backups)), new Set(own(rows.tasks))];
  const common = { vaultId: "vault-0", checkpointId: "checkpoint-vault-0" };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 3, max: 20 }),
      fc.integer({ min: 0, max: 9 }),
      sorts,
      async (limit, createdAt, sort: Sort<BackupSortKey>[]) => {
        const insertVault = async (): Promise<void> => {
          const id = numbered("vault");
          await catalog.vaults.insert(sampleVault({ id, createdAt }));
          vaults.add(id);
        };
        const insertBackup = async (): Promise<void> => {
          const id = numbered("backup");
          await catalog.backups.insert(sampleBackup({ ...common, id, createdAt, name: id, resourceSizeGib: createdAt }));
          backups.add(id);
        };
        const insertTask = async (): Promise<void> => {
          const id = numbered("task");
          await catalog.tasks.insert(sampleTask({ id, createdAt }));
          tasks.add(id);
        };
        const listBackups = async (page: Page): Promise<Listed<{ id: string }>> => {
          const { items, count: all } = await catalog.backups.list(sampleProject, {}, page, sort);
          return { items: items.map(({ backup }) => backup), count: all };
        };
        const before = [[...vaults], [...backups], [...tasks]] as const;
        check(before[0], await paged((page) => catalog.vaults.list(sampleProject, {}, page), limit, insertVault));
        check(before[1], await paged(listBackups, limit, insertBackup));
        check(before[2], await paged((page) => catalog.tasks.list(sampleProject, {}, page), limit, insertTask));
      },
    ),
    { numRuns: 10 },
  );
});
