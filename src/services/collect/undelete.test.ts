import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { DomainError } from "#model/errors.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { listBackups } from "../backups/listBackups.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { showBackup } from "../backups/showBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { showCheckpoint } from "../checkpoints/showCheckpoint.ts";
import { addServer } from "../resources/addServer.ts";
import { createVault } from "../vaults/createVault.ts";
import { deleteVault } from "../vaults/deleteVault.ts";
import { showVault } from "../vaults/showVault.ts";
import { edges, makeVolume, makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { listDeletedBackups } from "./listDeletedBackups.ts";
import { undeleteBackup } from "./undeleteBackup.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const refusedWith = (code: string) => (error: unknown) => {
  assert.equal((error as DomainError).code, code, String(error));
  return true;
};

const undelete = (caller: Caller, backupId: string) => undeleteBackup(world.context, caller, { backupId });
const deletedIds = async (caller: Caller) => new Set((await listDeletedBackups(world.context, caller)).map(({ backupId }) => backupId));

async function remove(caller: Caller, backupId: string): Promise<void> {
  await deleteBackup(world.context, caller, { backupId });
  await world.runAll();
}

const vaultOf = (caller: Caller, name: string, objectType: "server" | "disk", id: string) =>
  createVault(world.context, caller, {
    name,
    sizeGib: 10,
    objectType,
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id, type: objectType === "server" ? "OS::Nova::Server" : "OS::Cinder::Volume" }],
  });

/** A volume in a vault of its own, with one backup. */
async function backedUpVolume(caller: Caller) {
  const volume = await makeVolume(world, caller);
  const { vault } = await vaultOf(caller, "disks", "disk", volume.id);
  await createCheckpoint(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  const { items } = await listBackups(world.context, caller, { filter: { vaultId: vault.id }, page: { limit: 10, offset: 0 } });
  assert.equal(items[0]!.backup.status, "available");
  return { volume, vault, backup: items[0]!.backup };
}

async function backedUpServer(caller: Caller) {
  const disks = [await makeVolume(world, caller, "root", 10), await makeVolume(world, caller, "data", 20)];
  const server = await addServer(world.context, caller, {
    name: "web",
    disks: disks.map(({ id }, at) => ({ volumeId: id, systemDisk: at === 0 })),
  });
  const { vault } = await vaultOf(caller, "servers", "server", server.id);
  const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId: vault.id, retentionDays: 7 });
  await world.runAll();
  const { items } = await listBackups(world.context, caller, { filter: { vaultId: vault.id, parentId: null }, page: { limit: 10, offset: 0 } });
  const view = await showBackup(world.context, caller, { backupId: items[0]!.backup.id });
  assert.equal(view.backup.status, "available");
  return { disks, server, vault, checkpoint, parent: view.backup, children: view.children };
}

const facts = (backup: object & { updatedAt: number | null }): object => ({ ...backup, updatedAt: null });

test("a server backup comes back whole, by its own id or that of a disk: parent, disks, restore point; and restores", async () => {
  const caller = await world.newCaller();
  const { disks, server, checkpoint, parent, children } = await backedUpServer(caller);
  for (const named of [children[1]!.id, parent.id]) {
    await remove(caller, parent.id);
    assert.deepEqual(await deletedIds(caller), new Set(children.map(({ id }) => id)));
    await assert.rejects(showCheckpoint(world.context, caller, { checkpointId: checkpoint.id }), refusedWith("checkpointNotFound"));
    assert.deepEqual(new Set(await undelete(caller, named)), new Set(children.map(({ id }) => id)));
    const back = await showBackup(world.context, caller, { backupId: parent.id });
    assert.deepEqual(facts(back.backup), facts(parent));
    assert.deepEqual(back.children.map(facts), children.map(facts));
    assert.equal((await showCheckpoint(world.context, caller, { checkpointId: checkpoint.id })).resources[0]!.backupCount, 1);
    assert.equal((await deletedIds(caller)).size, 0);
  }
  await restoreBackup(world.context, caller, { backupId: parent.id, serverId: server.id });
  const before = await edges(world, disks[0]!.id);
  await world.runAll();
  assert.deepEqual(await edges(world, disks[0]!.id), before);
  assert.equal((await showBackup(world.context, caller, { backupId: parent.id })).backup.status, "available");
});

test("a disk of a server backup that is lost does not keep the others away: the server backup is then in error", async () => {
  const caller = await world.newCaller();
  const { parent, children } = await backedUpServer(caller);
  await remove(caller, parent.id);
  rmSync(join(world.sources, "..", "store", "objects", "t", caller.projectId, "bin", children[0]!.id));
  assert.deepEqual(await undelete(caller, parent.id), [children[1]!.id]);
  const back = await showBackup(world.context, caller, { backupId: parent.id });
  assert.deepEqual(
    [back.backup.status, back.children.map(({ id, status }) => [id, status])],
    [
      "error",
      [
        [children[0]!.id, "error"],
        [children[1]!.id, "available"],
      ],
    ],
  );
  await restoreBackup(world.context, caller, { backupId: children[1]!.id, newVolumeName: "rescued" });
  await world.runAll();
});

test("a vault that is full, being deleted or in error takes nothing back, and nothing changes; one that has room does", async () => {
  const caller = await world.newCaller();
  const { vault, backup } = await backedUpVolume(caller);
  await remove(caller, backup.id);
  const before = await listDeletedBackups(world.context, caller);
  const refusedBy = async (patch: { status?: "deleting" | "error"; sizeGib?: number }, code: string): Promise<void> => {
    await world.catalog.vaults.update(vault.id, patch);
    await assert.rejects(undelete(caller, backup.id), refusedWith(code));
    assert.deepEqual(await listDeletedBackups(world.context, caller), before);
    assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
    assert.equal(await world.catalog.backups.get(caller.projectId, backup.id), undefined);
    await world.catalog.vaults.update(vault.id, { status: "available", sizeGib: vault.sizeGib });
  };
  await refusedBy({ status: "deleting" }, "vaultStatusForbids");
  await refusedBy({ status: "error" }, "vaultStatusForbids");
  await refusedBy({ sizeGib: 0 }, "vaultFull");
  await assert.rejects(undelete(await world.newCaller(), backup.id), refusedWith("backupNotFound"));
  await world.catalog.vaults.update(vault.id, { status: "lock", locked: true });
  assert.deepEqual(await undelete(caller, backup.id), [backup.id]);
});

test("a backup whose vault is gone brings it back, but takes no resource from the vault that protects it now", async () => {
  const caller = await world.newCaller();
  const { volume, vault, backup } = await backedUpVolume(caller);
  await deleteVault(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  const { vault: now } = await vaultOf(caller, "newer", "disk", volume.id);
  assert.deepEqual(await undelete(caller, backup.id), [backup.id]);
  const again = await showVault(world.context, caller, { vaultId: vault.id });
  assert.deepEqual([again.vault.status, again.vault.name, again.resources, again.usage.usedBytes > 0], ["available", "disks", [], true]);
  assert.deepEqual(
    (await showVault(world.context, caller, { vaultId: now.id })).resources.map(({ id }) => id),
    [volume.id],
  );
  await assert.rejects(undelete(caller, backup.id), refusedWith("conflict"));
});

test("asked for several times at once a backup comes back once and stays", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await world.runAll();
  await remove(caller, backup.id);
  const ended = await Promise.allSettled(Array.from({ length: 4 }, () => undelete(caller, backup.id)));
  assert.deepEqual(ended.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected", "rejected"]);
  assert.deepEqual(await world.engine.listRoots(caller.projectId), [backup.id]);
  assert.equal((await deletedIds(caller)).size, 0);
  await restoreBackup(world.context, caller, { backupId: backup.id, newVolumeName: "again" });
  await world.runAll();
});
