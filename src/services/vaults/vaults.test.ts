import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { ErrorCode } from "#model/errors.ts";
import type { Volume } from "#model/resource.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { listBackups } from "../backups/listBackups.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { showCheckpoint } from "../checkpoints/showCheckpoint.ts";
import { addServer } from "../resources/addServer.ts";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { cancelTask } from "../tasks/cancelTask.ts";
import { listTasks } from "../tasks/listTasks.ts";
import { showTask } from "../tasks/showTask.ts";
import { deleteVolume } from "../volumes/deleteVolume.ts";
import { addVaultResources } from "./addVaultResources.ts";
import type { CreateVaultInput } from "./createVault.ts";
import { deleteVault } from "./deleteVault.ts";
import { listVaults } from "./listVaults.ts";
import { removeVaultResources } from "./removeVaultResources.ts";
import { showVault } from "./showVault.ts";
import { all, disk, emptyVolume, newVault as makeVault, refused } from "../../../test/support/vaults.ts";
import { makeVolume, makeWorld, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const newVault = (caller: Caller, overrides: Partial<CreateVaultInput> = {}) => makeVault(world, caller, overrides);
const empty = (caller: Caller, name = "empty", sizeGib = 1) => emptyVolume(world, caller, name, sizeGib);

test("a vault's creation answers what a query answers; another project's is not there", async () => {
  const caller = await world.newCaller();
  const volume = await empty(caller);
  const created = await newVault(caller, { resources: [disk(volume)], tags: [{ key: "k", value: "v" }], description: "d" });
  assert.deepEqual(await showVault(world.context, caller, { vaultId: created.vault.id }), created);
  assert.deepEqual([created.usage.allocatedGib, created.resources[0]!.protectStatus, created.resources[0]!.name], [1, "available", "empty"]);
  assert.equal((await listVaults(world.context, caller, { filter: { name: "vault" }, page: all })).count, 1);
  await refused(showVault(world.context, await world.newCaller(), { vaultId: created.vault.id }), "vaultNotFound", "6105");
});

test("a vault that cannot be is refused with the field's name, and nothing is left of it", async () => {
  const caller = await world.newCaller();
  const volume = await empty(caller);
  const big = await empty(caller, "big", 20);
  const cases: [Partial<CreateVaultInput>, ErrorCode, string?][] = [
    [{ name: "" }, "invalidRequest", "9900"],
    [{ name: "a b" }, "invalidRequest"],
    [{ name: "x".repeat(65) }, "invalidRequest"],
    [{ description: "<b>" }, "invalidRequest"],
    [{ sizeGib: 0 }, "vaultSizeInvalid", "6101"],
    [{ sizeGib: -5 }, "vaultSizeInvalid"],
    [{ sizeGib: 1.5 }, "vaultSizeInvalid"],
    [{ sizeGib: 100_000 }, "vaultSizeInvalid"],
    [{ threshold: 101 }, "invalidRequest"],
    [
      {
        tags: [
          { key: "a", value: null },
          { key: "a", value: "b" },
        ],
      },
      "invalidRequest",
    ],
    [{ tags: [{ key: "a=b", value: "" }] }, "invalidRequest"],
    [{ consistentLevel: "app_consistent" }, "vaultNotApplicationConsistent", "6126"],
    [{ chargingMode: "pre_paid" }, "invalidRequest"],
    [{ isMultiAz: true }, "invalidRequest"],
    [{ resources: [disk(volume), disk(volume)] }, "resourceGivenTwice", "6104"],
    [{ resources: [{ id: volume.id, type: "OS::Nova::Server" }] }, "vaultTypeMismatch", "6102"],
    [{ objectType: "vmware", resources: [disk(volume)] }, "vaultTypeMismatch", "6102"],
    [{ resources: [disk({ id: world.context.random.uuid() })] }, "volumeNotFound", "7000"],
    [{ resources: [disk(big)] }, "vaultSizeInvalid", "6101"],
    [{ resources: Array.from({ length: 257 }, () => disk({ id: world.context.random.uuid() })) }, "vaultTooManyResources", "6100"],
    [{ protectType: "replication", resources: [disk(volume)] }, "vaultTakesNoResources", "6108"],
  ];
  for (const [overrides, code, cbr] of cases) await refused(newVault(caller, overrides), code, cbr);
  assert.equal((await listVaults(world.context, caller, { filter: {}, page: all })).count, 0);
});

test("resources are added all or none, within the capacity, each to one vault", async () => {
  const caller = await world.newCaller();
  const [a, b, big] = [await empty(caller, "a"), await empty(caller, "b"), await empty(caller, "big", 10)];
  const { vault } = await newVault(caller, { resources: [disk(a)] });
  const other = await newVault(caller, { name: "other" });
  const add = (vaultId: string, ...volumes: Pick<Volume, "id">[]) =>
    addVaultResources(world.context, caller, { vaultId, resources: volumes.map(disk) });
  await refused(add(vault.id, b, a), "volumeAlreadyInVault", "7006");
  await refused(add(other.vault.id, a), "resourceInOtherVault", "6103");
  await refused(add(vault.id, big), "vaultFull", "6114");
  await refused(add(vault.id), "invalidRequest");
  await refused(add(world.context.random.uuid(), b), "vaultNotFound");
  assert.deepEqual(
    (await showVault(world.context, caller, { vaultId: vault.id })).resources.map((each) => each.id),
    [a.id],
  );
  assert.deepEqual(await add(vault.id, b), [b.id]);
});

test("a disk is protected with its server or by itself, never both", async () => {
  const caller = await world.newCaller();
  const [a, b] = [await empty(caller, "a"), await empty(caller, "b")];
  const server = await addServer(world.context, caller, { name: "s", disks: [a, b].map((each) => ({ volumeId: each.id, systemDisk: false })) });
  const disks = await newVault(caller, { resources: [disk(a)] });
  const asServer = (excludeVolumes: string[]) => [{ id: server.id, type: "OS::Nova::Server" as const, excludeVolumes }];
  const servers = await newVault(caller, { objectType: "server" });
  const bind = (excludeVolumes: string[]) =>
    addVaultResources(world.context, caller, { vaultId: servers.vault.id, resources: asServer(excludeVolumes) });
  await refused(bind([]), "diskInTwoVaults", "6137");
  await refused(bind([world.context.random.uuid()]), "invalidRequest");
  await bind([a.id]);
  await refused(bind([a.id]), "serverAlreadyInVault", "7116");
  await refused(addVaultResources(world.context, caller, { vaultId: disks.vault.id, resources: [disk(b)] }), "diskInTwoVaults", "6137");
});

test("a run backs up what it can and says what it left out", async () => {
  const caller = await world.newCaller();
  const [good, busy] = [await makeVolume(world, caller, "good"), await empty(caller, "busy")];
  const { vault } = await newVault(caller, { resources: [disk(good), disk(busy)] });
  await world.catalog.resources.update(busy.id, { status: "error_restoring" });
  const run = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  assert.equal(run.status, "protecting");
  assert.deepEqual(
    run.checkpoint.skipped.map((each) => [each.id, each.code, each.name]),
    [[busy.id, "BackupService.7003", "busy"]],
  );
  assert.deepEqual(
    run.resources.map((each) => [each.id, each.protectStatus]),
    [[good.id, "protecting"]],
  );
  assert.match(run.checkpoint.name, /^manualbk_[0-9a-f]{4}$/);
  await refused(createCheckpoint(world.context, caller, { vaultId: vault.id }), "vaultBusy", "6125");
  await world.runAll();
  const done = await showCheckpoint(world.context, caller, { checkpointId: run.checkpoint.id });
  assert.deepEqual([done.status, done.resources[0]!.protectStatus, done.resources[0]!.backupCount], ["available", "available", 1]);
  assert.ok(done.resources[0]!.backupSizeBytes > 0);
  const view = await showVault(world.context, caller, { vaultId: vault.id });
  assert.equal(view.usage.usedBytes, done.resources[0]!.backupSizeBytes);
  const { items } = await listBackups(world.context, caller, { filter: { vaultId: vault.id }, page: all });
  assert.equal(items[0]!.backup.name, `${run.checkpoint.name}-0001`);
});

test("a run that could do nothing is refused, and so is one on a vault that may not", async () => {
  const caller = await world.newCaller();
  const volume = await empty(caller);
  const outside = await empty(caller, "outside");
  const nothing = await newVault(caller, { name: "nothing" });
  await refused(createCheckpoint(world.context, caller, { vaultId: nothing.vault.id }), "nothingToBackUp", "0001");
  const { vault } = await newVault(caller, { resources: [disk(volume)] });
  const run = (input: object) => createCheckpoint(world.context, caller, { vaultId: vault.id, ...input });
  await refused(run({ resourceIds: [outside.id] }), "resourceNotInVault", "6135");
  await refused(run({ name: "a/b" }), "invalidRequest");
  await refused(run({ description: ">" }), "invalidRequest");
  await refused(run({ retentionDays: 0 }), "invalidRequest");
  await refused(createCheckpoint(world.context, caller, { vaultId: world.context.random.uuid() }), "vaultNotFound", "6105");
  await world.catalog.resources.update(volume.id, { status: "error" });
  await refused(run({}), "nothingToBackUp");
  await world.catalog.resources.update(volume.id, { status: "restoring-backup" });
  await assert.rejects(run({}), /being restored/);
  await world.catalog.resources.update(volume.id, { status: "available" });
  await world.catalog.vaults.update(vault.id, { status: "error" });
  await refused(run({}), "vaultStatusForbidsBackup", "6113");
  await world.catalog.vaults.update(vault.id, { status: "available", protectType: "replication" });
  await refused(run({}), "vaultKindCannotBackUp", "6124");
  const servers = await newVault(caller, { name: "servers", objectType: "server" });
  const bare = await addServer(world.context, caller, { name: "bare", disks: [] });
  await addVaultResources(world.context, caller, { vaultId: servers.vault.id, resources: [{ id: bare.id, type: "OS::Nova::Server" }] });
  await assert.rejects(createCheckpoint(world.context, caller, { vaultId: servers.vault.id }), /no disk/);
  assert.equal((await listTasks(world.context, caller, { filter: {}, page: all })).count, 0);
});

test("a full vault takes no more backups", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(caller, { sizeGib: 1, resources: [disk(volume)] });
  await createCheckpoint(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  const { items } = await listBackups(world.context, caller, { filter: {}, page: all });
  const { id, statistics } = items[0]!.backup;
  await world.catalog.backups.update(id, { statistics: { ...statistics!, storedBytes: 1024 ** 3 } });
  await refused(createCheckpoint(world.context, caller, { vaultId: vault.id }), "vaultFull", "6114");
});

test("a failed newest backup shows on the resource until one succeeds", async () => {
  const caller = await world.newCaller();
  const path = writeSource(world, `${caller.projectId}.raw`, noise(1000, 1));
  const volume = await addFileVolume(world.context, caller, { name: "f", path });
  const { vault } = await newVault(caller, { resources: [disk(volume)] });
  const run = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  const { items } = await listBackups(world.context, caller, { filter: {}, page: all });
  await cancelTask(world.context, caller, { taskId: items[0]!.backup.taskId! });
  const status = async () => (await showVault(world.context, caller, { vaultId: vault.id })).resources[0]!.protectStatus;
  assert.deepEqual([await status(), (await showCheckpoint(world.context, caller, { checkpointId: run.checkpoint.id })).status], ["error", "error"]);
  await createCheckpoint(world.context, caller, { vaultId: vault.id });
  assert.equal(await status(), "protecting");
  await world.runAll();
  assert.equal(await status(), "available");
  const good = (await listBackups(world.context, caller, { filter: { statuses: ["available"] }, page: all })).items[0]!.backup;
  await restoreBackup(world.context, caller, { backupId: good.id, volumeId: volume.id });
  assert.equal(await status(), "restoring");
  await world.runAll();
});

test("removing a resource deletes its backups in the vault and then lets it go", async () => {
  const caller = await world.newCaller();
  const [a, b] = [await makeVolume(world, caller, "a"), await empty(caller, "b")];
  const { vault } = await newVault(caller, { resources: [disk(a), disk(b)] });
  const run = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  const remove = (...resourceIds: string[]) => removeVaultResources(world.context, caller, { vaultId: vault.id, resourceIds });
  await refused(remove(a.id), "backupRunning", "6203");
  await world.runAll();
  await refused(remove(a.id, world.context.random.uuid()), "resourceNotInVault", "6135");
  await refused(remove(), "invalidRequest");
  assert.deepEqual(await remove(a.id), [a.id]);
  await refused(remove(a.id), "resourcesBeingRemoved", "6134");
  const removing = await showVault(world.context, caller, { vaultId: vault.id });
  assert.deepEqual(removing.resources.map((each) => each.protectStatus).toSorted(), ["available", "removing"]);
  const skipped = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  assert.deepEqual(
    skipped.checkpoint.skipped.map((each) => each.code),
    ["BackupService.6134"],
  );
  await world.runAll();
  const after = await showVault(world.context, caller, { vaultId: vault.id });
  assert.deepEqual(
    after.resources.map((each) => each.id),
    [b.id],
  );
  const left = await listBackups(world.context, caller, { filter: { resourceId: a.id }, page: all });
  assert.equal(left.count, 0);
  const tasks = await listTasks(world.context, caller, { filter: { type: "remove_resource" }, page: all });
  assert.deepEqual([tasks.items[0]!.status, tasks.items[0]!.result], ["success", { totalCount: 1, failCount: 0 }]);
  assert.equal((await showCheckpoint(world.context, caller, { checkpointId: run.checkpoint.id })).resources.length, 1);
});

test("deleting a vault deletes its backups; it is deleting until it is gone", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(caller, { resources: [disk(volume)] });
  await createCheckpoint(world.context, caller, { vaultId: vault.id });
  const remove = () => deleteVault(world.context, caller, { vaultId: vault.id });
  await refused(remove(), "backupRunning", "6203");
  assert.equal((await showVault(world.context, caller, { vaultId: vault.id })).vault.status, "available");
  await world.runAll();
  const { taskId } = await remove();
  await refused(remove(), "vaultStatusForbids", "6112");
  await refused(cancelTask(world.context, caller, { taskId }), "taskNotCancellable");
  const deleting = await showVault(world.context, caller, { vaultId: vault.id });
  assert.deepEqual([deleting.vault.status, deleting.resources[0]!.protectStatus], ["deleting", "removing"]);
  await refused(createCheckpoint(world.context, caller, { vaultId: vault.id }), "vaultStatusForbidsBackup");
  await refused(
    addVaultResources(world.context, caller, { vaultId: vault.id, resources: [disk(await empty(caller))] }),
    "vaultStatusForbids",
    "6112",
  );
  await world.runAll();
  await refused(showVault(world.context, caller, { vaultId: vault.id }), "vaultNotFound");
  assert.deepEqual([(await showTask(world.context, caller, { taskId })).status, await world.engine.listRoots(caller.projectId)], ["success", []]);
  const again = await newVault(caller, { resources: [disk(volume)] });
  assert.equal(again.resources.length, 1);
});

test("a deletion that the store refuses leaves errors that can be deleted later", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(caller, { resources: [disk(volume)] });
  for (let count = 0; count < 2; count++) {
    await createCheckpoint(world.context, caller, { vaultId: vault.id });
    await world.runAll();
  }
  const backups = (await listBackups(world.context, caller, { filter: {}, page: all })).items.map((each) => each.backup.id);
  const real = world.context.engine;
  world.context.engine = new Proxy(real, {
    get: (target, key) => (key === "deleteRoot" ? () => Promise.reject(new Error("EIO")) : Reflect.get(target, key)),
  });
  try {
    const { taskId } = await deleteBackup(world.context, caller, { backupId: backups[0]! });
    await world.runAll();
    assert.equal((await showTask(world.context, caller, { taskId })).status, "failed");
    const whole = await deleteVault(world.context, caller, { vaultId: vault.id });
    await world.runAll();
    const task = await showTask(world.context, caller, { taskId: whole.taskId });
    assert.deepEqual([task.status, task.errorCode, task.result], ["failed", "BackupService.6121", { totalCount: 2, failCount: 2 }]);
    assert.equal((await showVault(world.context, caller, { vaultId: vault.id })).vault.status, "error");
    const states = (await listBackups(world.context, caller, { filter: {}, page: all })).items.map((each) => each.backup.status);
    assert.deepEqual(states, ["error", "error"]);
  } finally {
    world.context.engine = real;
  }
  await deleteVault(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  await refused(showVault(world.context, caller, { vaultId: vault.id }), "vaultNotFound");
});

test("a waiting deletion can be taken back", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(caller, { resources: [disk(volume)] });
  await createCheckpoint(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  const { backup } = (await listBackups(world.context, caller, { filter: {}, page: all })).items[0]!;
  const { taskId } = await deleteBackup(world.context, caller, { backupId: backup.id });
  await cancelTask(world.context, caller, { taskId });
  await world.runAll();
  const [after] = (await listBackups(world.context, caller, { filter: {}, page: all })).items;
  assert.equal(after!.backup.status, "available");
  await deleteVolume(world.context, caller, { volumeId: volume.id });
  await restoreBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  // The disk is gone, its backups are not: the vault shows whose they are until the disk is taken out.
  const [left] = (await showVault(world.context, caller, { vaultId: vault.id })).resources;
  assert.deepEqual([left?.id, left?.name, left?.backupCount, left!.backupSizeBytes > 0], [volume.id, volume.name, 1, true]);
  assert.deepEqual(await removeVaultResources(world.context, caller, { vaultId: vault.id, resourceIds: [volume.id] }), [volume.id]);
  await world.runAll();
  assert.deepEqual((await showVault(world.context, caller, { vaultId: vault.id })).resources, []);
  assert.equal((await listBackups(world.context, caller, { filter: {}, page: all })).count, 0);
});
