import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { Server, Volume } from "#model/resource.ts";
import { makeVolume, makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { listBackups } from "../backups/listBackups.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { addServer } from "../resources/addServer.ts";
import type { RunResource } from "../support/run-resources.ts";
import { listTasks } from "../tasks/listTasks.ts";
import { createVault } from "../vaults/createVault.ts";
import { showVault } from "../vaults/showVault.ts";
import { createVolume } from "../volumes/createVolume.ts";
import { createCheckpoint } from "./createCheckpoint.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const page = { limit: 100, offset: 0 };
const kind = { protectType: "backup", consistentLevel: "crash_consistent", sizeGib: 100 } as const;

/** Servers with so many disks each, in one vault that leaves out the given disks of the first. */
async function servers(caller: Caller, counts: number[], leftOut: number[] = []) {
  const made: { server: Server; disks: Volume[] }[] = [];
  for (const [n, count] of counts.entries()) {
    const disks: Volume[] = [];
    for (let index = 0; index < count; index++) disks.push(await createVolume(world.context, caller, { sizeGib: 1, name: `d${index}` }));
    const attached = disks.map((disk, index) => ({ volumeId: disk.id, systemDisk: index === 0 }));
    made.push({ server: await addServer(world.context, caller, { name: `s${n}`, disks: attached }), disks });
  }
  const resources = made.map(({ server, disks }, n) => ({
    id: server.id,
    type: server.type,
    excludeVolumes: n === 0 ? leftOut.map((index) => disks[index]!.id) : [],
  }));
  const { vault } = await createVault(world.context, caller, { ...kind, name: "v", objectType: "server", resources });
  return { made, vault };
}

/** The disks of each server that a run has backed up, by their names. */
async function ran(caller: Caller, vaultId: string, resourceDetails: RunResource[]): Promise<Record<string, string[]>> {
  const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId, resourceDetails });
  await world.runAll();
  const { items } = await listBackups(world.context, caller, { filter: { checkpointId: checkpoint.id, parentId: null }, page });
  return Object.fromEntries(items.map(({ backup, children }) => [backup.resourceName, children.map((child) => child.resourceName)]));
}

test("a run takes of each server what its request says, less what the vault leaves out", async () => {
  const caller = await world.newCaller();
  const { made, vault } = await servers(caller, [4, 1], [3]);
  const [{ server, disks }, { server: other }] = made as [(typeof made)[0], (typeof made)[0]];
  const ids = disks.map((disk) => disk.id);
  const of = (more: Partial<RunResource>): RunResource => ({ id: server.id, type: server.type, ...more });
  assert.deepEqual(await ran(caller, vault.id, [of({})]), { s0: ["d0", "d1", "d2"] });
  assert.deepEqual(await ran(caller, vault.id, [of({ excludeVolumes: [ids[1]!] })]), { s0: ["d0", "d2"] });
  assert.deepEqual(await ran(caller, vault.id, [of({ includeVolumes: [ids[2]!, ids[3]!] }), { id: other.id, type: other.type }]), {
    s0: ["d2"],
    s1: ["d0"],
  });
  assert.deepEqual(await ran(caller, vault.id, [of({ includeVolumes: [ids[0]!, ids[2]!], excludeVolumes: [ids[0]!] })]), { s0: ["d2"] });
  assert.deepEqual(await ran(caller, vault.id, []), { s0: ["d0", "d1", "d2"], s1: ["d0"] });
  const refused = (details: RunResource[], code: string) =>
    assert.rejects(createCheckpoint(world.context, caller, { vaultId: vault.id, resourceDetails: details }), { code });
  await refused([of({ excludeVolumes: [world.context.random.uuid()] })], "invalidRequest");
  await refused([of({ includeVolumes: [world.context.random.uuid()] })], "invalidRequest");
  await refused([of({ type: "OS::Cinder::Volume" })], "invalidRequest");
  await refused([{ id: world.context.random.uuid(), type: server.type }], "resourceNotInVault");
  await refused([of({ excludeVolumes: ids })], "nothingToBackUp");
});

test("what a run leaves out has a skipped task with its code and reason, and the rest is backed up", async () => {
  const caller = await world.newCaller();
  const { made, vault } = await servers(caller, [1, 1]);
  const first = made[0]!;
  await ran(caller, vault.id, []);
  const { items } = await listBackups(world.context, caller, { filter: { resourceId: first.server.id, parentId: null }, page });
  await restoreBackup(world.context, caller, { backupId: items[0]!.backup.id });
  const view = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  const left = { id: first.server.id, type: first.server.type, name: "s0", code: "BackupService.2010" };
  assert.deepEqual(
    view.checkpoint.skipped.map(({ reason: _reason, ...each }) => each),
    [left],
  );
  const { items: tasks } = await listTasks(world.context, caller, { filter: { status: "skipped" }, page });
  assert.equal(tasks.length, 1);
  const [task] = tasks as [(typeof tasks)[0]];
  assert.deepEqual(
    [task.resourceId, task.errorCode, task.errorMessage, task.checkpointId, task.vaultId],
    [left.id, left.code, view.checkpoint.skipped[0]!.reason, view.checkpoint.id, vault.id],
  );
  assert.ok(task.startedAt !== null && task.endedAt !== null);
  const status = async () => (await showVault(world.context, caller, { vaultId: vault.id })).resources.map((each) => each.protectStatus);
  assert.deepEqual(await status(), ["restoring", "protecting"]);
  await world.runAll();
  assert.deepEqual(await status(), ["available", "available"]);
});

test("a restore onto another server shows on that one; several names stay within their length", async () => {
  const caller = await world.newCaller();
  const { made, vault } = await servers(caller, [1, 1]);
  const [from, to] = made as [(typeof made)[0], (typeof made)[0]];
  await createCheckpoint(world.context, caller, { vaultId: vault.id, name: "n".repeat(64) });
  await world.runAll();
  const { items } = await listBackups(world.context, caller, { filter: { parentId: null }, page });
  assert.deepEqual(items.map(({ backup }) => backup.name ?? "").toSorted(), [`${"n".repeat(59)}-0001`, `${"n".repeat(59)}-0002`]);
  const { backup, children } = items.find((each) => each.backup.resourceId === from.server.id)!;
  const mappings = [{ backupId: children[0]!.id, volumeId: to.disks[0]!.id }];
  await restoreBackup(world.context, caller, { backupId: backup.id, serverId: to.server.id, mappings });
  const shown = (await showVault(world.context, caller, { vaultId: vault.id })).resources;
  assert.deepEqual(
    shown.map((each) => [each.id, each.protectStatus]),
    [
      [from.server.id, "available"],
      [to.server.id, "restoring"],
    ],
  );
  await world.runAll();
});

test("a disk is no server: it has no volumes to choose from; a full backup is one when it is asked for", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const resources = [{ id: volume.id, type: volume.type }];
  const { vault } = await createVault(world.context, caller, { ...kind, name: "d", objectType: "disk", resources });
  const resourceDetails = [{ id: volume.id, type: volume.type, excludeVolumes: [volume.id] }];
  await assert.rejects(createCheckpoint(world.context, caller, { vaultId: vault.id, resourceDetails }), { code: "invalidRequest" });
  const made: boolean[] = [];
  for (const incremental of [true, true, false]) {
    const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId: vault.id, incremental });
    await world.runAll();
    const { items } = await listBackups(world.context, caller, { filter: { checkpointId: checkpoint.id }, page });
    made.push(items[0]!.backup.incremental);
  }
  assert.deepEqual(made, [false, true, false]);
});
