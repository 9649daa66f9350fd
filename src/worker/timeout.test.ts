import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Engine, TaskControl } from "#repository/engine-types.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { restoreBackup } from "#services/backups/restoreBackup.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import type { Context } from "#services/context.ts";
import { showTask } from "#services/tasks/showTask.ts";
import { deleteVault } from "#services/vaults/deleteVault.ts";
import { showVault } from "#services/vaults/showVault.ts";
import { showVolume } from "#services/volumes/showVolume.ts";
import { aborted, edges, makeVolume, makeWorld, manualClock } from "../../test/support/world.ts";
import type { World } from "../../test/support/world.ts";
import { startRunner } from "./runner.ts";
import { tick } from "./scheduler.ts";

const clock = manualClock();
let world: World;
before(async () => {
  world = await makeWorld({ clock });
});
after(() => world.close());

const hourMs = 3_600_000;

/** The world's context, in which tasks may run for an hour; `method` of its engine takes two, or until it is told to stop. */
function slow(method: "backup" | "restore" | "deleteRoot"): Context {
  const call = world.engine[method] as (...given: unknown[]) => Promise<unknown>;
  const run = async (request: unknown, control: TaskControl | string): Promise<unknown> => {
    clock.advance(2 * hourMs);
    if (typeof control === "string") return call(request, control);
    await aborted(control.signal!);
    return call(request, control);
  };
  const engine = new Proxy(world.engine, { get: (target, key) => (key === method ? (run as Engine[typeof method]) : Reflect.get(target, key)) });
  return { ...world.context, engine, settings: { ...world.context.settings, taskTimeoutUs: hourMs * 1000 } };
}

async function runWith(context: Context): Promise<void> {
  const runner = startRunner({ context, owner: context.settings.nodeId, concurrency: 1, heartbeatMs: 5 });
  await runner.idle();
  await runner.stop(0);
}

async function backedUp() {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await world.runAll();
  return { caller, volume, backup };
}

test("a backup that takes longer than a task may ends as timeout; what it put into the store is gone, and the volume is free", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  // Waiting does not count.
  clock.advance(5 * hourMs);
  await runWith(slow("backup"));
  const task = await showTask(world.context, caller, { taskId: backup.taskId! });
  assert.deepEqual([task.status, task.errorCode], ["timeout", "BackupService.9910"]);
  assert.match(task.errorMessage, /longer than a task may/);
  const left = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
  assert.deepEqual([left.status, left.failReason], ["error", task.errorMessage]);
  assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
  assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
});

test("a restore that takes too long ends as timeout, and the volume keeps its content", async () => {
  const { caller, volume, backup } = await backedUp();
  const target = await makeVolume(world, caller, "target", 9);
  const before = await edges(world, target.id);
  const { taskId } = await restoreBackup(world.context, caller, { backupId: backup.id, volumeId: target.id });
  await runWith(slow("restore"));
  assert.equal((await showTask(world.context, caller, { taskId })).status, "timeout");
  assert.deepEqual(await edges(world, target.id), before);
  for (const { id } of [target, volume]) assert.equal((await showVolume(world.context, caller, { volumeId: id })).status, "available");
  assert.equal((await showBackup(world.context, caller, { backupId: backup.id })).backup.status, "available");
});

test("without a limit, and within it, tasks take as long as they take", async () => {
  const { caller, backup } = await backedUp();
  const stay = (await world.catalog.vaults.findImplicit(caller.projectId, "disk"))!.id;
  const { taskId } = await deleteVault(world.context, caller, { vaultId: stay });
  const unlimited = slow("deleteRoot");
  await runWith({ ...unlimited, settings: { ...unlimited.settings, taskTimeoutUs: 0 } });
  assert.equal((await showTask(world.context, caller, { taskId })).status, "success");
  await assert.rejects(showVault(world.context, caller, { vaultId: stay }), { code: "vaultNotFound" });
  await assert.rejects(showBackup(world.context, caller, { backupId: backup.id }), { code: "backupNotFound" });
});

test("a tick takes tasks that have been over for longer than they are kept, and no other", async () => {
  const { caller, volume, backup } = await backedUp();
  const context = { ...world.context, settings: { ...world.context.settings, taskDays: 30 } };
  const done = await showTask(context, caller, { taskId: backup.taskId! });
  const { backup: later } = await createVolumeBackup(context, caller, { volumeId: volume.id, incremental: false });
  const there = async (taskId: string): Promise<boolean> => (await world.catalog.tasks.get(caller.projectId, taskId)) !== undefined;
  clock.advance(29 * 24 * hourMs);
  await tick(context, () => true);
  assert.deepEqual([await there(done.id), await there(later.taskId!)], [true, true]);
  clock.advance(2 * 24 * hourMs);
  await tick({ ...context, settings: { ...context.settings, taskDays: 0 } }, () => true);
  assert.ok(await there(done.id), "0 keeps them for ever");
  const claimed = await world.catalog.tasks.claim({ owner: "o", now: clock.nowUs(), leaseUntil: clock.nowUs() + 1e9 });
  assert.equal(claimed!.id, later.taskId);
  clock.advance(400 * 24 * hourMs);
  await tick(context, () => true);
  assert.deepEqual([await there(done.id), await there(later.taskId!)], [false, true], "one that runs is never taken");
  assert.equal((await showBackup(context, caller, { backupId: backup.id })).backup.taskId, done.id);
});
