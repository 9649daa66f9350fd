import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { Task } from "#model/task.ts";
import type { Volume } from "#model/resource.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { deleteBackup } from "#services/backups/deleteBackup.ts";
import { restoreBackup } from "#services/backups/restoreBackup.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import { addFileVolume } from "#services/resources/addFileVolume.ts";
import { addServer } from "#services/resources/addServer.ts";
import { runBackup } from "#services/runs/runBackup.ts";
import { restorePart } from "#services/runs/failRestore.ts";
import { StaleTaskError } from "#services/runs/run.ts";
import { createSnapshot } from "#services/snapshots/createSnapshot.ts";
import { showSnapshot } from "#services/snapshots/showSnapshot.ts";
import { backgroundIdle } from "#services/support/background.ts";
import { localPath, storageSnapshotPath } from "#services/support/paths.ts";
import { showTask } from "#services/tasks/showTask.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { deleteVault } from "#services/vaults/deleteVault.ts";
import { removeVaultResources } from "#services/vaults/removeVaultResources.ts";
import { showVault } from "#services/vaults/showVault.ts";
import { createCheckpoint } from "#services/checkpoints/createCheckpoint.ts";
import { showVolume } from "#services/volumes/showVolume.ts";
import { edges, makeVolume, makeWorld, noise, writeSource } from "../../test/support/world.ts";
import type { World } from "../../test/support/world.ts";
import { recover } from "./recovery.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const owner = "this-worker";
const gone = { code: "backupNotFound" };

/** Claims the only waiting task, as a worker does that then dies. */
async function claim(): Promise<Task> {
  const now = world.context.clock.nowUs();
  const task = await world.catalog.tasks.claim({ owner, now, leaseUntil: now + 30_000_000 });
  assert.ok(task !== undefined);
  return task;
}

const control = (signal = new AbortController().signal) => ({
  signal,
  progress() {},
  latest: () => ({ phase: "", bytesDone: 0, bytesTotal: null, rate: 0 }),
});

const statusOf = async (caller: Caller, volume: Pick<Volume, "id">): Promise<string> =>
  (await showVolume(world.context, caller, { volumeId: volume.id })).status;

async function backedUp(caller: Caller, volume: Volume): Promise<string> {
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: "auto" });
  await world.runAll();
  return backup.id;
}

test("a backup interrupted before its root was sealed ends in error, and the volume is free", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  const task = await claim();
  await world.catalog.backups.transition(backup.id, "protecting", { updatedAt: 1 });
  await recover(world.context, owner);
  const left = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
  assert.equal(left.status, "error");
  assert.match(left.failReason!, /^interrupted/);
  assert.equal((await showTask(world.context, caller, { taskId: task.id })).status, "failed");
  assert.equal(await statusOf(caller, volume), "available");
});

test("a backup interrupted after its root was sealed loses the root: what was not answered as available is not there", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  const task = await claim();
  const broken = { ...world.context, catalog: { ...world.catalog, transaction: failingFrom(2) } };
  await assert.rejects(runBackup({ context: broken, task, control: control() }), /no disk/);
  assert.deepEqual(await world.engine.listRoots(caller.projectId), [backup.id]);
  await recover(world.context, owner);
  assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
  assert.equal((await showBackup(world.context, caller, { backupId: backup.id })).backup.status, "error");
});

/** A catalog whose transactions fail, from the `n`-th on. */
function failingFrom(n: number): World["catalog"]["transaction"] {
  let seen = 0;
  return async (work) => {
    if (seen++ >= n) throw new Error("no disk");
    return world.catalog.transaction(work);
  };
}

test("a run whose task was taken over writes nothing and takes its root back", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  const task = await claim();
  // Another worker fails the task while this run's data is being read.
  const engine = new Proxy(world.engine, {
    get(target, key) {
      if (key !== "backup") return Reflect.get(target, key);
      return async (...given: Parameters<typeof target.backup>) => {
        const outcome = await target.backup(...given);
        await recover(world.context, owner);
        // What recovery removed is sealed again by a writer that does not know yet.
        await target.backup(...given);
        return outcome;
      };
    },
  });
  await assert.rejects(runBackup({ context: { ...world.context, engine }, task, control: control() }), StaleTaskError);
  assert.equal((await showBackup(world.context, caller, { backupId: backup.id })).backup.status, "error");
  assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
});

test("a root that a failed backup left behind is swept; one that the catalog does not know is kept", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const id = await backedUp(caller, volume);
  const known = await backedUp(caller, volume);
  await world.catalog.backups.remove(id);
  const engine = new Proxy(world.engine, { get: (target, key) => (key === "discardRoot" ? async () => {} : Reflect.get(target, key)) });
  const failed = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  const task = await claim();
  const broken = { ...world.context, catalog: { ...world.catalog, transaction: failingFrom(2) } };
  await assert.rejects(runBackup({ context: broken, task, control: control() }), /no disk/);
  await recover({ ...world.context, engine }, owner);
  assert.equal((await world.engine.listRoots(caller.projectId)).length, 3);
  await recover(world.context, owner);
  assert.deepEqual((await world.engine.listRoots(caller.projectId)).toSorted(), [id, known].toSorted());
  assert.equal((await showBackup(world.context, caller, { backupId: failed.backup.id })).backup.status, "error");
});

test("an interrupted restore leaves a volume of ours as it was, a new one and a file in error_restoring, and no temporary file", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const backupId = await backedUp(caller, volume);
  const bytes = await edges(world, volume.id);

  await restoreBackup(world.context, caller, { backupId, volumeId: volume.id });
  const overwrite = await claim();
  writeFileSync(restorePart(world.context, volume.id), "half");
  await recover(world.context, owner);
  assert.deepEqual([await statusOf(caller, volume), existsSync(restorePart(world.context, volume.id))], ["available", false]);
  assert.deepEqual(await edges(world, volume.id), bytes);
  const ended = await showTask(world.context, caller, { taskId: overwrite.id });
  assert.equal(ended.status, "failed");
  assert.match(ended.errorMessage, /^interrupted/);

  const { volumeId } = await restoreBackup(world.context, caller, { backupId });
  await claim();
  await recover(world.context, owner);
  assert.equal(await statusOf(caller, { id: volumeId! }), "error_restoring");

  const path = writeSource(world, `${caller.projectId}.raw`, noise(1000, 1));
  const file = await addFileVolume(world.context, caller, { name: "f", path });
  const ofFile = await backedUp(caller, file);
  await restoreBackup(world.context, caller, { backupId: ofFile, volumeId: file.id });
  await claim();
  await recover(world.context, owner);
  assert.equal(await statusOf(caller, file), "error_restoring");
  for (const id of [backupId, ofFile]) assert.equal((await showBackup(world.context, caller, { backupId: id })).backup.status, "available");
});

test("interrupted deletions of a backup, a resource and a vault are done again to their end", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const single = await backedUp(caller, volume);
  const { vault } = await createVault(world.context, caller, {
    name: "v",
    sizeGib: 10,
    objectType: "disk",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id: volume.id, type: "OS::Cinder::Volume" }],
  });
  const backUp = async () => {
    await createCheckpoint(world.context, caller, { vaultId: vault.id });
    await world.runAll();
  };
  await backUp();

  await deleteBackup(world.context, caller, { backupId: single });
  await claim();
  await world.catalog.backups.transition(single, "deleting", { updatedAt: 1 });
  await world.engine.deleteRoot(caller.projectId, single);
  await recover(world.context, owner);
  await world.runAll();
  await assert.rejects(showBackup(world.context, caller, { backupId: single }), gone);

  await removeVaultResources(world.context, caller, { vaultId: vault.id, resourceIds: [volume.id] });
  await claim();
  await recover(world.context, owner);
  await world.runAll();
  const view = await showVault(world.context, caller, { vaultId: vault.id });
  assert.deepEqual([view.resources, view.usage.usedBytes], [[], 0]);

  const { taskId } = await deleteVault(world.context, caller, { vaultId: vault.id });
  await claim();
  await recover(world.context, owner);
  await world.runAll();
  await assert.rejects(showVault(world.context, caller, { vaultId: vault.id }), { code: "vaultNotFound" });
  assert.equal((await showTask(world.context, caller, { taskId })).status, "success");
  assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
});

test("volumes in a passing state that nothing will end are put right; those of waiting tasks are left", async () => {
  const caller = await world.newCaller();
  const { resources } = world.catalog;
  const volumes = [];
  for (const name of ["creating", "backing-up", "restoring-backup", "deleting", "attached"]) volumes.push(await makeVolume(world, caller, name));
  const [creating, backing, restoring, deleting, attached] = volumes as [Volume, Volume, Volume, Volume, Volume];
  await addServer(world.context, caller, { name: "s", disks: [{ volumeId: attached.id, systemDisk: false }] });
  for (const [volume, status] of [
    [creating, "creating"],
    [backing, "backing-up"],
    [restoring, "restoring-backup"],
    [deleting, "deleting"],
    [attached, "backing-up"],
  ] as const) {
    await resources.update(volume.id, { status });
  }
  const waiting = await makeVolume(world, caller, "waiting");
  await createVolumeBackup(world.context, caller, { volumeId: waiting.id, incremental: false });
  await recover(world.context, owner);
  const now = [];
  for (const volume of [creating, backing, restoring, attached, waiting]) now.push(await statusOf(caller, volume));
  assert.deepEqual(now, ["error", "available", "error_restoring", "in-use", "backing-up"]);
  await assert.rejects(showVolume(world.context, caller, { volumeId: deleting.id }), { code: "volumeNotFound" });
  assert.deepEqual(
    [existsSync(localPath(world.context.settings, creating.id)), existsSync(localPath(world.context.settings, deleting.id))],
    [false, false],
  );
  await world.runAll();
  assert.equal(await statusOf(caller, waiting), "available");
});

test("half-made snapshots and left-over files go; whole volumes without a row stay", async () => {
  const caller = await world.newCaller();
  const { settings, random } = world.context;
  const volume = await makeVolume(world, caller);
  const snapshots = [];
  for (const status of ["creating", "deleting", "available"] as const) {
    const snapshot = await createSnapshot(world.context, caller, { volumeId: volume.id });
    await backgroundIdle(world.context);
    await world.catalog.snapshots.update(snapshot.id, { status });
    snapshots.push(snapshot.id);
  }
  const [creating, deleting, whole] = snapshots as [string, string, string];
  const stray = random.uuid();
  const dead = storageSnapshotPath(settings, { id: random.uuid(), projectId: caller.projectId }, random.uuid());
  for (const path of [localPath(settings, stray), `${localPath(settings, stray)}.part`, dead]) writeFileSync(path, "x");
  await recover(world.context, owner);
  assert.equal((await showSnapshot(world.context, caller, { snapshotId: creating })).status, "error");
  await assert.rejects(showSnapshot(world.context, caller, { snapshotId: deleting }), { code: "snapshotNotFound" });
  assert.equal((await showSnapshot(world.context, caller, { snapshotId: whole })).status, "available");
  const files = new Set(readdirSync(settings.volumesPath));
  assert.deepEqual(
    [creating, deleting, whole, stray].map((id) => files.has(`${id}.raw`)),
    [false, false, true, true],
  );
  assert.ok(!files.has(`${stray}.raw.part`) && !existsSync(dead) && existsSync(join(settings.volumesPath, `${volume.id}.raw`)));
});
