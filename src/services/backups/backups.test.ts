import assert from "node:assert/strict";
import { copyFileSync, readFileSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { after, before, test } from "node:test";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { addServer } from "../resources/addServer.ts";
import { createSnapshot } from "../snapshots/createSnapshot.ts";
import { backgroundIdle } from "../support/background.ts";
import { showTask } from "../tasks/showTask.ts";
import { cancelTask } from "../tasks/cancelTask.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { showCheckpoint } from "../checkpoints/showCheckpoint.ts";
import { createVault } from "../vaults/createVault.ts";
import { listVaults } from "../vaults/listVaults.ts";
import { showVolume } from "../volumes/showVolume.ts";
import { writeVolumeRange } from "../volumes/writeVolumeRange.ts";
import { createVolume } from "../volumes/createVolume.ts";
import { createVolumeBackup } from "./createVolumeBackup.ts";
import { deleteBackup } from "./deleteBackup.ts";
import { listBackups } from "./listBackups.ts";
import { readBackupRange } from "./readBackupRange.ts";
import { restoreBackup } from "./restoreBackup.ts";
import { showBackup } from "./showBackup.ts";
import type { Caller } from "#model/caller.ts";
import { startRunner } from "#worker/runner.ts";
import { aborted, edges, makeVolume, makeWorld, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, String(error));
  return true;
};

async function backedUp(caller: Caller, volumeId: string, incremental: boolean | "auto" = false) {
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId, incremental, force: true });
  await world.runAll();
  return (await showBackup(world.context, caller, { backupId: backup.id })).backup;
}

test("a volume backup passes through its states and restores bit for bit", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller, "web");
  const queued = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false, name: "one", metadata: { a: "b" } });
  assert.equal(queued.backup.status, "waiting_protect");
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "backing-up");
  await world.runAll();
  const view = await showBackup(world.context, caller, { backupId: queued.backup.id });
  const { backup } = view;
  assert.equal(backup.status, "available", backup.failReason ?? "");
  assert.equal(backup.progress, 100);
  assert.deepEqual([backup.incremental, backup.baseId, backup.chainId], [false, null, backup.id]);
  assert.ok(backup.statistics!.dataBytes >= 270_000 && backup.statistics!.storedBytes > 0 && backup.statistics!.objectCount > 0);
  assert.ok(backup.protectedAt! >= backup.createdAt && backup.rootKey !== null);
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  const task = await showTask(world.context, caller, { taskId: backup.taskId! });
  assert.deepEqual([task.status, task.type, task.errorCode, task.requestId], ["success", "backup", "", "req-1"]);
  assert.ok(task.progress.bytesDone > 0);

  const point = await showCheckpoint(world.context, caller, { checkpointId: backup.checkpointId });
  assert.deepEqual([point.status, point.resources.length, point.resources[0]!.backupCount], ["available", 1, 1]);
  assert.equal(point.resources[0]!.backupSizeBytes, backup.statistics!.storedBytes);

  const before = await edges(world, volume.id);
  const restored = await restoreBackup(world.context, caller, { backupId: backup.id });
  assert.equal((await showBackup(world.context, caller, { backupId: backup.id })).backup.status, "waiting_restore");
  await world.runAll();
  const fresh = await showVolume(world.context, caller, { volumeId: restored.volumeId! });
  assert.deepEqual([fresh.status, fresh.name, fresh.sourceBackupId, fresh.sizeGib], ["available", `restore_backup_${backup.id}`, backup.id, 1]);
  assert.deepEqual(await edges(world, fresh.id), before);

  const { bytes, sizeBytes } = await readBackupRange(world.context, caller, { backupId: backup.id, offset: 1000, length: 5000 });
  assert.deepEqual([sizeBytes, Buffer.compare(bytes, before.subarray(1000, 6000))], [1024 ** 3, 0]);
  const { bytes: none } = await readBackupRange(world.context, caller, { backupId: backup.id, offset: sizeBytes, length: 10 });
  assert.equal(none.length, 0);

  const root = await world.engine.readRoot(caller.projectId, backup.id);
  const document = root!.document as {
    backup: { id: string; name: string; metadata: object };
    vault: { name: string };
    resource: { id: string };
    checkpoint: { id: string };
  };
  assert.deepEqual([document.backup.id, document.backup.name, document.backup.metadata], [backup.id, "one", { a: "b" }]);
  assert.deepEqual([document.vault.name, document.resource.id, document.checkpoint.id], ["implicit-disk", volume.id, backup.checkpointId]);
});

test("an incremental builds on the newest backup, and lives on when that is deleted", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  await assert.rejects(createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: true }), code("noIncrementalBase"));
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  const full = await backedUp(caller, volume.id, "auto");
  assert.equal(full.incremental, false);
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 65_536, bytes: noise(65_536, 99) });
  const contents = await edges(world, volume.id);
  const second = await backedUp(caller, volume.id, true);
  assert.deepEqual([second.incremental, second.baseId, second.chainId], [true, full.id, full.id]);
  assert.ok(second.statistics!.newBytes <= 3 * 65_536 && second.statistics!.unchangedBytes > 0);
  assert.equal((await showBackup(world.context, caller, { backupId: full.id })).hasDependents, true);
  await assert.rejects(deleteBackup(world.context, caller, { backupId: full.id, refuseDependents: true }), code("hasDependents"));
  await deleteBackup(world.context, caller, { backupId: full.id });
  assert.equal((await showBackup(world.context, caller, { backupId: full.id })).backup.status, "waiting_delete");
  await assert.rejects(deleteBackup(world.context, caller, { backupId: full.id }), code("backupNotDeletable"));
  await assert.rejects(restoreBackup(world.context, caller, { backupId: full.id }), code("backupNotRestorable"));
  await world.runAll();
  await assert.rejects(showBackup(world.context, caller, { backupId: full.id }), code("backupNotFound"));
  assert.deepEqual(await world.engine.listRoots(caller.projectId), [second.id]);
  const third = await backedUp(caller, volume.id, true);
  assert.equal(third.baseId, second.id);
  const { volumeId } = await restoreBackup(world.context, caller, { backupId: third.id, newVolumeName: "again" });
  await world.runAll();
  assert.deepEqual(await edges(world, volumeId!), contents);
});

test("the last backup of a restore point takes it along; another project sees nothing", async () => {
  const caller = await world.newCaller();
  const other = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const backup = await backedUp(caller, volume.id);
  await assert.rejects(showBackup(world.context, other, { backupId: backup.id }), code("backupNotFound"));
  await assert.rejects(deleteBackup(world.context, other, { backupId: backup.id }), code("backupNotFound"));
  await assert.rejects(restoreBackup(world.context, other, { backupId: backup.id }), code("backupNotFound"));
  await assert.rejects(createVolumeBackup(world.context, other, { volumeId: volume.id, incremental: false }), code("volumeNotFound"));
  assert.equal((await listBackups(world.context, { ...other }, { filter: { allProjects: true }, page: { limit: 10, offset: 0 } })).count, 0);
  await deleteBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  assert.equal(await world.catalog.checkpoints.get(caller.projectId, backup.checkpointId), undefined);
  assert.equal((await listVaults(world.context, caller, { filter: {}, page: { limit: 10, offset: 0 } })).items[0]!.vault.implicit, true);
});

test("a restore over a volume replaces it whole; one that fails leaves the old content", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const backup = await backedUp(caller, volume.id);
  const original = await edges(world, volume.id);
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(300_000, 5) });
  const changed = await edges(world, volume.id);
  assert.notDeepEqual(changed, original);
  const { taskId } = await restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id });
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "restoring-backup");
  await assert.rejects(createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false }), code("volumeStatusForbids"));
  await assert.rejects(writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(4, 1) }), code("volumeStatusForbids"));
  await cancelTask(world.context, caller, { taskId });
  const cancelled = await showTask(world.context, caller, { taskId });
  assert.deepEqual([cancelled.status, cancelled.errorMessage], ["failed", "cancelled"]);
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  assert.deepEqual(await edges(world, volume.id), changed);
  const again = await restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id });
  await world.runAll();
  assert.deepEqual(await edges(world, volume.id), original);
  const { status: ended, progress, result } = await showTask(world.context, caller, { taskId: again.taskId });
  const dataBytes = backup.statistics!.dataBytes;
  assert.deepEqual([ended, progress.bytesDone, progress.bytesTotal, result["writtenBytes"]], ["success", dataBytes, dataBytes, dataBytes]);
  const { status } = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
  assert.equal(status, "available");
});

test("a restore is refused onto what is too small or not free", async () => {
  const caller = await world.newCaller();
  const volume = await createVolume(world.context, caller, { sizeGib: 2, name: "two" });
  const small = await createVolume(world.context, caller, { sizeGib: 1, name: "one" });
  const backup = await backedUp(caller, volume.id);
  await assert.rejects(restoreBackup(world.context, caller, { backupId: backup.id, volumeId: small.id }), code("targetTooSmall"));
  assert.equal((await showVolume(world.context, caller, { volumeId: small.id })).status, "available");
  assert.equal((await showBackup(world.context, caller, { backupId: backup.id })).backup.status, "available");
  await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await assert.rejects(restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id }), code("targetBeingBackedUp"));
  await assert.rejects(restoreBackup(world.context, caller, { backupId: backup.id, volumeId: world.context.random.uuid() }), code("volumeNotFound"));
  await world.runAll();
  await addServer(world.context, caller, { name: "s", disks: [{ volumeId: volume.id, systemDisk: true }] });
  await assert.rejects(restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id }), code("diskStatusForbidsRestore"));
  await assert.rejects(createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false }), code("volumeStatusForbids"));
});

test("a file volume is backed up as long as it is and restored in place", async () => {
  const caller = await world.newCaller();
  const bytes = noise(300_001, 3);
  const path = writeSource(world, `image-${caller.projectId}.raw`, bytes);
  const volume = await addFileVolume(world.context, caller, { name: "file", path });
  assert.equal(volume.sizeGib, 1);
  const backup = await backedUp(caller, volume.id);
  assert.equal((await readBackupRange(world.context, caller, { backupId: backup.id, offset: 0, length: 1 })).sizeBytes, 300_001);
  writeSource(world, `image-${caller.projectId}.raw`, noise(300_001, 4));
  await restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id });
  await world.runAll();
  assert.deepEqual(readFileSync(path), bytes);
  truncateSync(path, 300_000);
  await assert.rejects(restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id }), code("targetTooSmall"));
});

test("a source that is gone fails the backup with a clear reason and frees the volume", async () => {
  const caller = await world.newCaller();
  const path = writeSource(world, `gone-${caller.projectId}.raw`, noise(1000, 3));
  const volume = await addFileVolume(world.context, caller, { name: "file", path });
  rmSync(path);
  const backup = await backedUp(caller, volume.id);
  assert.equal(backup.status, "error");
  assert.ok(!backup.failReason!.includes(world.sources), backup.failReason!);
  const task = await showTask(world.context, caller, { taskId: backup.taskId! });
  assert.deepEqual([task.status, task.errorCode, task.errorMessage], ["failed", "BackupService.7004", backup.failReason]);
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  await assert.rejects(restoreBackup(world.context, caller, { backupId: backup.id }), code("backupNotRestorable"));
  await deleteBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  await assert.rejects(showBackup(world.context, caller, { backupId: backup.id }), code("backupNotFound"));
});

test("a backup of a snapshot holds the snapshot's bytes and instant, and leaves the volume free", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const snapshot = await createSnapshot(world.context, caller, { volumeId: volume.id, name: "s" });
  await backgroundIdle(world.context);
  const frozen = await edges(world, volume.id);
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(300_000, 5) });
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, snapshotId: snapshot.id, incremental: false });
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  await world.runAll();
  const done = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
  assert.deepEqual([done.status, done.snapshotId, done.protectedAt], ["available", snapshot.id, snapshot.createdAt]);
  const { volumeId } = await restoreBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  assert.deepEqual(await edges(world, volumeId!), frozen);
  const foreign = await makeVolume(world, caller, "foreign");
  const wrong = createVolumeBackup(world.context, caller, { volumeId: foreign.id, snapshotId: snapshot.id, incremental: false });
  await assert.rejects(wrong, code("snapshotOfOtherVolume"));
});

test("where files can be cloned, the newest backup alone keeps a storage snapshot", async () => {
  const caller = await world.newCaller();
  const context = { ...world.context, clone: async (from: string, to: string) => (copyFileSync(from, to), true) };
  const small = writeSource(world, `clone-${caller.projectId}.raw`, noise(100_000, 1));
  const volume = await addFileVolume(context, caller, { name: "c", path: small });
  const kept = () => readdirSync(context.settings.volumesPath).filter((name) => name.includes(caller.projectId));
  const run = async () => {
    const { backup } = await createVolumeBackup(context, caller, { volumeId: volume.id, incremental: "auto" });
    const runner = startRunner({ context, owner: "o", concurrency: 1 });
    await runner.idle();
    await runner.stop(0);
    return (await showBackup(context, caller, { backupId: backup.id })).backup;
  };
  const first = await run();
  assert.ok(first.snapshotId !== null && kept().length === 1);
  const second = await run();
  assert.ok(second.snapshotId !== null && second.snapshotId !== first.snapshotId);
  assert.deepEqual([(await showBackup(context, caller, { backupId: first.id })).backup.snapshotId, kept().length], [null, 1]);
  await deleteBackup(context, caller, { backupId: second.id });
  await world.runAll();
  assert.deepEqual(kept(), []);
});

test("a server backup has a child for each disk, goes as one, and restores onto its disks", async () => {
  const caller = await world.newCaller();
  const disks = [
    await makeVolume(world, caller, "root", 10),
    await makeVolume(world, caller, "data", 20),
    await makeVolume(world, caller, "scratch", 30),
  ];
  const [root, data, scratch] = disks.map((disk) => disk.id) as [string, string, string];
  const server = await addServer(world.context, caller, {
    name: "web",
    architecture: "x86_64",
    disks: [root, data, scratch].map((volumeId) => ({ volumeId, systemDisk: volumeId === root })),
  });
  const { vault } = await createVault(world.context, caller, {
    name: "v",
    sizeGib: 10,
    objectType: "server",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id: server.id, type: "OS::Nova::Server", excludeVolumes: [scratch] }],
  });
  const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId: vault.id, name: "run", retentionDays: 3 });
  await world.runAll();
  const list = await listBackups(world.context, caller, { filter: { checkpointId: checkpoint.id, parentId: null }, page: { limit: 10, offset: 0 } });
  const view = await showBackup(world.context, caller, { backupId: list.items[0]!.backup.id });
  const parent = view.backup;
  assert.deepEqual(
    [parent.status, parent.name, parent.resourceSizeGib, parent.containSystemDisk, parent.architecture],
    ["available", "run", 2, true, "x86_64"],
  );
  assert.deepEqual([parent.progress, parent.bootable, parent.expiredAt! - parent.createdAt], [null, null, 3 * 86_400 * 1_000_000]);
  const children = view.children;
  assert.deepEqual(
    children.map((child) => [child.name, child.resourceId, child.systemDisk, child.resourceAz, child.status, child.progress]),
    [
      ["run_root", root, true, null, "available", 100],
      ["run_data", data, false, null, "available", 100],
    ],
  );
  assert.equal(
    parent.statistics!.storedBytes,
    children.reduce((sum, child) => sum + child.statistics!.storedBytes, 0),
  );
  await assert.rejects(deleteBackup(world.context, caller, { backupId: children[0]!.id }), code("backupNotDeletable"));

  const [rootBytes, dataBytes] = [await edges(world, root), await edges(world, data)];
  for (const volumeId of [root, data]) await writeVolumeRange(world.context, caller, { volumeId, offset: 0, bytes: noise(300_000, 77) });
  const [rootBackup, dataBackup] = children.map((child) => child.id) as [string, string];
  const restore = (mappings?: { backupId: string; volumeId: string }[]) =>
    restoreBackup(world.context, caller, { backupId: parent.id, serverId: server.id, ...(mappings === undefined ? {} : { mappings }) });
  await assert.rejects(restore([{ backupId: dataBackup, volumeId: root }]), code("dataDiskOntoSystemDisk"));
  await assert.rejects(restore([{ backupId: parent.id, volumeId: root }]), code("badMapping"));
  await assert.rejects(restore([{ backupId: rootBackup, volumeId: world.context.random.uuid() }]), code("badMapping"));
  await assert.rejects(
    restore([
      { backupId: rootBackup, volumeId: root },
      { backupId: rootBackup, volumeId: data },
    ]),
    code("badMapping"),
  );
  const arm = await addServer(world.context, caller, { name: "arm", architecture: "aarch64", disks: [] });
  await assert.rejects(restoreBackup(world.context, caller, { backupId: parent.id, serverId: arm.id }), code("architectureDiffers"));
  await assert.rejects(restoreBackup(world.context, caller, { backupId: parent.id, serverId: root }), code("serverNotFound"));
  const { taskId, volumeId } = await restore();
  assert.equal(volumeId, null);
  await world.runAll();
  assert.equal((await showTask(world.context, caller, { taskId })).status, "success");
  assert.deepEqual([await edges(world, root), await edges(world, data)], [rootBytes, dataBytes]);
  assert.equal((await showVolume(world.context, caller, { volumeId: root })).status, "in-use");

  await deleteBackup(world.context, caller, { backupId: parent.id });
  await world.runAll();
  await assert.rejects(showBackup(world.context, caller, { backupId: rootBackup }), code("backupNotFound"));
  assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
});

test("one failed disk fails the server backup; the disk that was done stays, the rest says why", async () => {
  const caller = await world.newCaller();
  const good = await makeVolume(world, caller, "good");
  const path = writeSource(world, `bad-${caller.projectId}.raw`, noise(1000, 3));
  const bad = await addFileVolume(world.context, caller, { name: "bad", path });
  const late = await makeVolume(world, caller, "late");
  const server = await addServer(world.context, caller, {
    name: "s",
    disks: [good, bad, late].map((disk) => ({ volumeId: disk.id, systemDisk: false })),
  });
  rmSync(path);
  const { vault } = await createVault(world.context, caller, {
    name: "v",
    sizeGib: 10,
    objectType: "server",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id: server.id, type: "OS::Nova::Server" }],
  });
  const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  const list = await listBackups(world.context, caller, { filter: { checkpointId: checkpoint.id, parentId: null }, page: { limit: 10, offset: 0 } });
  const { backup, children } = await showBackup(world.context, caller, { backupId: list.items[0]!.backup.id });
  assert.equal(backup.status, "error");
  assert.match(backup.failReason!, /disk .* failed/);
  assert.deepEqual(
    children.map((child) => child.status),
    ["available", "error", "error"],
  );
  assert.match(children[2]!.failReason!, /^Not backed up, because/);
  assert.deepEqual(await world.engine.listRoots(caller.projectId), [children[0]!.id]);
});

test("a waiting and a running backup can be cancelled", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const waiting = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await cancelTask(world.context, caller, { taskId: waiting.backup.taskId! });
  const view = await showBackup(world.context, caller, { backupId: waiting.backup.id });
  assert.deepEqual([view.backup.status, view.backup.failReason], ["error", "cancelled"]);
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  await assert.rejects(cancelTask(world.context, caller, { taskId: waiting.backup.taskId! }), code("taskNotCancellable"));
  await assert.rejects(cancelTask(world.context, caller, { taskId: world.context.random.uuid() }), code("taskNotFound"));

  // An engine that holds the backup until it is told to stop, so that the cancellation surely meets a running task.
  const held: Pick<typeof world.engine, "backup"> = {
    async backup(request, control) {
      await aborted(control.signal!);
      return world.engine.backup(request, control);
    },
  };
  const engine = new Proxy(world.engine, { get: (target, key) => (key === "backup" ? held.backup : Reflect.get(target, key)) });
  const running = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  const runner = startRunner({ context: { ...world.context, engine }, owner: "o", concurrency: 1, heartbeatMs: 10 });
  while ((await showTask(world.context, caller, { taskId: running.backup.taskId! })).status === "waiting") await world.context.clock.sleep(5);
  const told = await cancelTask(world.context, caller, { taskId: running.backup.taskId! });
  assert.equal(told.cancelRequested, true);
  await runner.idle();
  await runner.stop(0);
  const after = await showBackup(world.context, caller, { backupId: running.backup.id });
  assert.deepEqual([after.backup.status, after.backup.failReason], ["error", "cancelled"]);
  assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
});
