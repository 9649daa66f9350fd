import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { naiveUtc } from "#model/timestamps.ts";
import { tick } from "#worker/scheduler.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { listBackups } from "../backups/listBackups.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { showBackup } from "../backups/showBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { createCollection } from "../collect/createCollection.ts";
import { vaultsThatKeep } from "../rebuild/shredProject.ts";
import { addServer } from "../resources/addServer.ts";
import { cancelTask } from "../tasks/cancelTask.ts";
import { showTask } from "../tasks/showTask.ts";
import { deleteVault } from "./deleteVault.ts";
import { removeVaultResources } from "./removeVaultResources.ts";
import { updateVault } from "./updateVault.ts";
import { all, disk, newVault, refused } from "../../../test/support/vaults.ts";
import { makeVolume, makeWorld, manualClock } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

const dayMs = 86_400_000;
const clock = manualClock();
let world: World;
before(async () => {
  world = await makeWorld({ clock });
});
after(() => world.close());

/** A locked vault with one backup in it. */
async function locked(checkpoint: { retentionDays?: number; autoTrigger?: boolean }) {
  const caller = await world.newCaller({ roles: ["admin", "member"] });
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(world, caller, { resources: [disk(volume)] });
  await createCheckpoint(world.context, caller, { vaultId: vault.id, ...checkpoint });
  await world.runAll();
  const [view] = (await listBackups(world.context, caller, { filter: {}, page: all })).items;
  assert.equal(view!.backup.status, "available");
  await updateVault(world.context, caller, { vaultId: vault.id, locked: true });
  return { caller, vaultId: vault.id, volumeId: volume.id, backup: view!.backup };
}

test("until its time is over nobody deletes a backup of a locked vault, then retention does", async () => {
  const { caller, vaultId, volumeId, backup } = await locked({ retentionDays: 7, autoTrigger: true });
  const kept = async () => {
    await refused(deleteBackup(world.context, caller, { backupId: backup.id }), "backupLocked", "6220");
    await refused(deleteVault(world.context, caller, { vaultId }), "vaultNotDeletable", "6111");
    await refused(removeVaultResources(world.context, caller, { vaultId, resourceIds: [volumeId] }), "vaultStatusForbids", "6112");
    await tick(world.context, () => false);
    await world.runAll();
    const { id } = await createCollection(world.context, caller, { force: true });
    await world.runAll();
    assert.equal((await showTask(world.context, caller, { taskId: id })).status, "success");
    assert.deepEqual(await world.engine.listRoots(caller.projectId), [backup.id]);
    assert.deepEqual(await vaultsThatKeep(world.catalog, caller.projectId, clock.nowUs()), ["vault"]);
  };
  await kept();
  clock.advance(6.99 * dayMs);
  await kept();
  // An administrator who sets the status changes nothing about it.
  await world.catalog.backups.update(backup.id, { status: "error" });
  await kept();
  await world.catalog.backups.update(backup.id, { status: "available" });
  const { taskId } = await restoreBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  assert.equal((await showTask(world.context, caller, { taskId })).status, "success", "and it can be restored");
  clock.advance(0.02 * dayMs);
  assert.deepEqual(await vaultsThatKeep(world.catalog, caller.projectId, clock.nowUs()), []);
  await tick(world.context, () => false);
  await world.runAll();
  await refused(showBackup(world.context, caller, { backupId: backup.id }), "backupNotFound");
  await deleteVault(world.context, caller, { vaultId });
  await world.runAll();
});

test("a backup by hand that has no time is kept for good", async () => {
  const { caller, vaultId, backup } = await locked({});
  clock.advance(10_000 * dayMs);
  await assert.rejects(deleteBackup(world.context, caller, { backupId: backup.id }), /kept for good: no time was set/);
  await refused(deleteVault(world.context, caller, { vaultId }), "vaultNotDeletable");
});

test("what failed holds no data and may go; a server's backup is kept for its disks", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const server = await addServer(world.context, caller, { name: "s", disks: [{ volumeId: volume.id, systemDisk: true }] });
  const resources = [{ id: server.id, type: "OS::Nova::Server" as const }];
  const { vault } = await newVault(world, caller, { objectType: "server", resources, locked: true });
  const run = () => createCheckpoint(world.context, caller, { vaultId: vault.id, retentionDays: 1 });
  const newest = async () => (await listBackups(world.context, caller, { filter: { parentId: null }, page: all })).items[0]!.backup;
  await run();
  const cancelled = await newest();
  await cancelTask(world.context, caller, { taskId: cancelled.taskId! });
  await deleteBackup(world.context, caller, { backupId: cancelled.id });
  await world.runAll();
  await refused(showBackup(world.context, caller, { backupId: cancelled.id }), "backupNotFound");
  await run();
  await world.runAll();
  const done = await newest();
  assert.deepEqual([done.status, done.rootKey], ["available", null]);
  await refused(deleteBackup(world.context, caller, { backupId: done.id }), "backupLocked", "6220");
  clock.advance(dayMs);
  await deleteBackup(world.context, caller, { backupId: done.id });
  await world.runAll();
});

test("the longest retention that can be asked for is one that can be told", async () => {
  const { backup } = await locked({ retentionDays: 99_999 });
  assert.equal(naiveUtc(backup.expiredAt!).slice(0, 4), "2255");
});
