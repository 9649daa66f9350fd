import assert from "node:assert/strict";
import { backupTransitions } from "#model/backup.ts";
import type { Backup, BackupStatus } from "#model/backup.ts";
import { CatalogError } from "./errors.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleBackup, sampleCheckpoint, sampleProject, sampleServer, sampleStatistics, sampleTask, sampleVault, sampleVolume } from "./samples.ts";
import type { BackupFilter, Catalog } from "./tables.ts";

const other = "11111111111111111111111111111111";
const page = { limit: 100, offset: 0 };

/** A vault with a checkpoint, and a maker of backups in them. */
async function furnish(catalog: Catalog, name = "vault") {
  const vault = sampleVault({ name, enterpriseProjectId: "ep-1" });
  const checkpoint = sampleCheckpoint({ vaultId: vault.id });
  await catalog.vaults.insert(vault);
  await catalog.checkpoints.insert(checkpoint);
  const add = async (over: Partial<Backup> = {}): Promise<Backup> => {
    const backup = sampleBackup({ vaultId: vault.id, checkpointId: checkpoint.id, ...over });
    await catalog.backups.insert(backup);
    return backup;
  };
  return { vault, checkpoint, add };
}

const stored = (storedBytes: number) => ({ ...sampleStatistics, storedBytes });

onEachDatabase("every field of a backup comes back as it was", async (catalog) => {
  const { add } = await furnish(catalog);
  const bare = await add({
    name: null,
    bootable: null,
    systemDisk: null,
    encrypted: null,
    statistics: null,
    rootKey: null,
    progress: null,
    updatedAt: null,
    protectedAt: null,
    volumeMetadata: {},
  });
  const full = await add({
    description: "d",
    baseId: bare.id,
    chainId: bare.id,
    resourceAz: "az9",
    taskId: "task",
    autoTrigger: true,
    incrementalRequested: false,
    incremental: true,
    bootable: false,
    systemDisk: true,
    containSystemDisk: true,
    encryption: { cmkId: "c", volumeKey: "v" },
    encrypted: true,
    snapshotId: "s",
    metadata: { key: "välue" },
    failReason: "why",
    expiredAt: 9,
    viaCloudbackups: true,
    statistics: { ...sampleStatistics, compressed: false },
  });
  for (const backup of [bare, full]) {
    assert.deepEqual(await catalog.backups.get(sampleProject, backup.id), backup);
    assert.deepEqual((await catalog.backups.view(sampleProject, backup.id))?.backup, backup);
  }
  assert.equal(await catalog.backups.get(other, full.id), undefined);
  assert.equal(await catalog.backups.view(other, full.id), undefined);
  await catalog.backups.update(full.id, { name: "new", metadata: {}, encryption: null, autoTrigger: false });
  await catalog.backups.update(full.id, {});
  assert.deepEqual(await catalog.backups.get(sampleProject, full.id), { ...full, name: "new", metadata: {}, encryption: null, autoTrigger: false });
  await catalog.backups.remove(full.id);
  assert.equal(await catalog.backups.get(sampleProject, full.id), undefined);
});

onEachDatabase("a view is never older than the last commit, whoever made it", async (catalog) => {
  const { add } = await furnish(catalog);
  const backup = await add();
  const dependent = await add({ baseId: backup.id, chainId: backup.id });
  const seen = async () => (await catalog.backups.view(sampleProject, backup.id))!;
  for (let round = 0; round < 3; round++) {
    assert.equal((await seen()).backup.name, (await catalog.backups.get(sampleProject, backup.id))!.name);
    await catalog.backups.update(backup.id, { name: `renamed ${round}` });
    assert.equal((await seen()).backup.name, `renamed ${round}`);
    await assert.rejects(
      catalog.transaction(async (tables) => {
        await tables.backups.update(backup.id, { name: "never" });
        assert.equal((await tables.backups.view(sampleProject, backup.id))!.backup.name, "never");
        throw new Error("rolled back");
      }),
    );
    assert.equal((await seen()).backup.name, `renamed ${round}`);
  }
  assert.equal((await seen()).hasDependents, true);
  await catalog.backups.remove(dependent.id);
  assert.equal((await seen()).hasDependents, false);
});

onEachDatabase("a view tells dependents, chain, enterprise project and whether the resource still exists", async (catalog) => {
  const { add } = await furnish(catalog);
  const volume = sampleVolume();
  await catalog.resources.insert(volume);
  const full = await add({ resourceId: volume.id, statistics: stored(100) });
  const view = async () => (await catalog.backups.view(sampleProject, full.id))!;
  assert.deepEqual(await view(), {
    backup: full,
    children: [],
    hasDependents: false,
    chainStoredBytes: 100,
    enterpriseProjectId: "ep-1",
    resourceExists: true,
    replications: [],
  });
  const next = await add({ baseId: full.id, chainId: full.id, statistics: null, status: "protecting" });
  assert.deepEqual([(await view()).hasDependents, (await view()).chainStoredBytes], [true, 100]);
  await catalog.backups.transition(next.id, "available", { updatedAt: 1, statistics: stored(23) });
  assert.equal((await view()).chainStoredBytes, 123);
  await catalog.resources.remove(volume.id);
  assert.equal((await view()).resourceExists, false);
  await catalog.backups.update(next.id, { status: "error", statistics: null });
  assert.deepEqual([(await view()).hasDependents, (await view()).chainStoredBytes], [false, 100]);
});

onEachDatabase("a server backup has its disks' backups inside, in the order in which they were added", async (catalog) => {
  const { add, checkpoint } = await furnish(catalog);
  const parent = await add({ resourceType: "OS::Nova::Server", resourceId: "server", statistics: null, progress: null });
  const disks: Backup[] = [];
  for (const id of ["c", "a", "b"]) disks.push(await add({ id, parentId: parent.id, resourceId: `volume-${id}` }));
  assert.deepEqual((await catalog.backups.view(sampleProject, parent.id))?.children, disks);
  assert.deepEqual(await catalog.backups.children(parent.id), disks);
  assert.deepEqual(await catalog.backups.ofCheckpoint(checkpoint.id), [parent, ...disks]);
  const listed = await catalog.backups.list(sampleProject, { parentId: null }, page);
  assert.deepEqual([listed.count, listed.items[0]?.children], [1, disks]);
  assert.equal((await catalog.backups.list(sampleProject, { parentId: parent.id }, page)).count, 3);
  await assert.rejects(catalog.backups.remove(parent.id), (error) => error instanceof CatalogError && error.code === "constraint");
  await catalog.transaction(async ({ backups }) => {
    await backups.remove(parent.id);
    for (const disk of disks) await backups.remove(disk.id);
  });
  assert.equal((await catalog.backups.list(sampleProject, {}, page)).count, 0);
});

onEachDatabase("usage and figures count bytes of disk backups once", async (catalog) => {
  const { vault, add } = await furnish(catalog);
  const elsewhere = await furnish(catalog, "elsewhere");
  const disk = sampleVolume({ sizeGib: 7 });
  const server = sampleServer({ sizeGib: 20 });
  await catalog.resources.insert(disk);
  await catalog.resources.insert(server);
  await catalog.vaults.bind({ vaultId: vault.id, resourceId: server.id, type: server.type, excludeVolumes: [], suspended: false });
  await catalog.vaults.bind({ vaultId: vault.id, resourceId: disk.id, type: disk.type, excludeVolumes: [], suspended: false });
  await catalog.vaults.bind({ vaultId: vault.id, resourceId: "gone", type: disk.type, excludeVolumes: [], suspended: false });
  assert.deepEqual(await catalog.vaults.usage(vault.id), { allocatedGib: 27, usedBytes: 0 });
  const parent = await add({ resourceType: "OS::Nova::Server", resourceId: server.id, statistics: stored(30) });
  await add({ parentId: parent.id, resourceId: "d1", statistics: stored(10) });
  await add({ parentId: parent.id, resourceId: "d2", statistics: stored(20) });
  await add({ resourceId: disk.id, statistics: stored(4) });
  await add({ resourceId: disk.id, statistics: null });
  await add({ resourceId: "unbound", statistics: stored(1) });
  await elsewhere.add({ resourceId: disk.id, statistics: stored(1000) });
  assert.deepEqual(await catalog.vaults.usage(vault.id), { allocatedGib: 27, usedBytes: 35 });
  const figures = async (resourceId: string) => {
    const { resource, newestStatus, backupCount, storedBytes } = await catalog.vaults.protectionOf(vault, resourceId);
    return [resource?.sizeGib, newestStatus, backupCount, storedBytes];
  };
  assert.deepEqual(await figures(server.id), [20, "available", 1, 30]);
  assert.deepEqual(await figures(disk.id), [7, "available", 2, 4]);
  assert.deepEqual(await figures("gone"), [undefined, null, 0, 0]);
  assert.deepEqual(await figures("unbound"), [undefined, "available", 1, 1]);
  assert.equal((await catalog.vaults.protectionOf({ ...vault, projectId: "other" }, disk.id)).resource, null);
});

onEachDatabase("whether something may be going on with a resource, and how its newest backup in the vault stands", async (catalog) => {
  const { vault, add } = await furnish(catalog);
  const disk = sampleVolume();
  const server = sampleServer({ id: "r", disks: [{ volumeId: disk.id, systemDisk: true }] });
  await catalog.resources.insert(disk);
  await catalog.resources.insert(server);
  const protection = async (id = "r") => {
    const { mayBeBusy, newestStatus } = await catalog.vaults.protectionOf(vault, id);
    return [mayBeBusy, newestStatus];
  };
  await add({ resourceId: "r", createdAt: 2, status: "error" });
  await add({ resourceId: "r", createdAt: 1, status: "available" });
  assert.deepEqual(await protection(), [false, "error"]);
  for (const status of ["backing-up", "restoring-backup", "available"] as const) {
    await catalog.resources.update(disk.id, { status });
    assert.deepEqual(
      [await protection(), await protection(disk.id)],
      [
        [status !== "available", "error"],
        [status !== "available", null],
      ],
    );
  }
  await catalog.tasks.insert(sampleTask({ type: "vault_delete", resourceId: "r", status: "success" }));
  assert.deepEqual(await protection(), [false, "error"]);
  await catalog.tasks.insert(sampleTask({ type: "remove_resource", resourceId: "r", status: "waiting" }));
  assert.deepEqual(await protection(), [true, "error"]);
});

onEachDatabase("a backup moves only to a state that may follow", async (catalog) => {
  const { add } = await furnish(catalog);
  const states = Object.keys(backupTransitions) as BackupStatus[];
  for (const from of states) {
    for (const to of states) {
      const { id } = await add({ status: from });
      const moved = await catalog.backups.transition(id, to, { updatedAt: 77, failReason: "because" });
      const after = await catalog.backups.get(sampleProject, id);
      const allowed = backupTransitions[from].includes(to);
      assert.equal(moved, allowed, `${from} → ${to}`);
      assert.deepEqual([after?.status, after?.failReason], allowed ? [to, "because"] : [from, null], `${from} → ${to}`);
    }
  }
  const { id } = await add({ status: "available" });
  assert.equal(await catalog.backups.transition(id, "waiting_delete", { updatedAt: 1 }, ["error"]), false);
  assert.equal(await catalog.backups.transition(id, "waiting_delete", { updatedAt: 1 }, ["error", "available"]), true);
  assert.equal(await catalog.backups.transition("nobody", "available", { updatedAt: 1 }), false);
});

onEachDatabase("the base of an incremental is the newest available disk backup with data", async (catalog) => {
  const { add } = await furnish(catalog);
  const base = (before?: number) => catalog.backups.newestBase(sampleProject, "volume-1", before).then((found) => found?.id);
  assert.equal(await base(), undefined);
  await add({ id: "old", protectedAt: 10, createdAt: 99 });
  await add({ id: "new", protectedAt: 20, createdAt: 1 });
  await add({ id: "running", protectedAt: 30, status: "protecting" });
  await add({ id: "empty", protectedAt: 31, rootKey: null });
  await add({ id: "elsewhere", protectedAt: 32, resourceId: "volume-2" });
  await add({ id: "foreign", protectedAt: 33, projectId: other });
  assert.equal(await base(), "new");
  assert.equal(await base(20), "old");
  assert.equal(await base(10), undefined);
});

onEachDatabase("expired lists available top-level backups whose time has come, oldest first", async (catalog) => {
  const { add } = await furnish(catalog);
  await add({ id: "late", expiredAt: 20 });
  await add({ id: "early", expiredAt: 10 });
  await add({ id: "future", expiredAt: 21 });
  await add({ id: "never", expiredAt: null });
  await add({ id: "child", expiredAt: 5, parentId: "early" });
  await add({ id: "going", expiredAt: 5, status: "deleting" });
  const ids = async (now: number, limit: number) => (await catalog.backups.expired(now, limit)).map(({ id }) => id);
  assert.deepEqual(await ids(20, 10), ["early", "late"]);
  assert.deepEqual(await ids(20, 1), ["early"]);
  assert.deepEqual(await ids(9, 10), []);
  assert.equal(await catalog.backups.countOfResource("volume-1", ["available", "deleting"]), 6);
  assert.equal(await catalog.backups.countOfResource("volume-1", ["deleting"]), 1);
  assert.equal(await catalog.backups.countOfResource("volume-1", []), 0);
});

onEachDatabase("every filter of a backup list selects what it says", async (catalog) => {
  const { add, vault, checkpoint } = await furnish(catalog);
  const second = await furnish(catalog, "second");
  await add({ id: "a", name: "Alpha", createdAt: 10, status: "error", imageType: "replication" });
  await add({ id: "b", name: "beta", createdAt: 20, resourceId: "r2", resourceName: "root", resourceAz: "az2", incremental: true });
  await second.add({ id: "c", name: null, createdAt: 30, resourceType: "OS::Sfs::Turbo" });
  await second.add({ id: "d", name: "delta", createdAt: 40, parentId: "c" });
  await second.add({ id: "e", name: "alphabet", createdAt: 50, projectId: other });
  const expected: [BackupFilter, string][] = [
    [{}, "d c b a"],
    [{ allProjects: true }, "e d c b a"],
    [{ vaultId: vault.id }, "b a"],
    [{ checkpointId: checkpoint.id }, "b a"],
    [{ parentId: null }, "c b a"],
    [{ parentId: "c" }, "d"],
    [{ resourceId: "r2" }, "b"],
    [{ resourceName: "root" }, "b"],
    [{ resourceAz: "az2" }, "b"],
    [{ name: "beta" }, "b"],
    [{ nameContains: "alpha" }, "a"],
    [{ nameContains: "alpha", allProjects: true }, "e a"],
    [{ imageType: "replication" }, "a"],
    [{ resourceType: "OS::Sfs::Turbo" }, "c"],
    [{ statuses: ["error", "deleting"] }, "a"],
    [{ statuses: [] }, ""],
    [{ createdFrom: 20, createdTo: 30 }, "c b"],
    [{ incremental: true }, "b"],
    [{ incremental: false }, "d c a"],
  ];
  for (const [filter, ids] of expected) {
    const { items, count } = await catalog.backups.list(sampleProject, filter, page);
    assert.equal(items.map(({ backup }) => backup.id).join(" "), ids, JSON.stringify(filter));
    assert.equal(count, items.length);
  }
});
