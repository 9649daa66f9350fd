import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { DomainError } from "#model/errors.ts";
import { keyDestroyedObjectKey, rootObjectKey } from "#repository/layout.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { showBackup } from "../backups/showBackup.ts";
import { queueDueChecks } from "../check/queueDueChecks.ts";
import { showTask } from "../tasks/showTask.ts";
import { makeVolume, makeWorld, manualClock } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { createCollection } from "./createCollection.ts";
import { listDeletedBackups } from "./listDeletedBackups.ts";
import { planCollection } from "./planCollection.ts";
import { queueDueCollections } from "./queueDueCollections.ts";
import { undeleteBackup } from "./undeleteBackup.ts";

const clock = manualClock();
let world: World;
before(async () => {
  world = await makeWorld({ clock });
});
after(() => world.close());

// The engine's thread has a clock of its own, which this test cannot set.
const impatient = (): World["context"] => Object.assign(world.context, { settings: { ...world.context.settings, graceUs: 0 } });

const packsOf = (projectId: string): string[] => {
  const folder = join(world.sources, "..", "store", "objects", "t", projectId, "packs");
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /[0-9a-f]{32}$/.test(name));
};

async function backUp(caller: Caller, volumeId: string): Promise<string> {
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId, name: "one", incremental: false });
  await world.runAll();
  return backup.id;
}

async function collected(caller: Caller, force = true) {
  const { id } = await createCollection(world.context, caller, { force });
  await world.runAll();
  return await showTask(world.context, caller, { taskId: id });
}

const refusedWith = (code: string) => (error: unknown) => {
  assert.equal((error as DomainError).code, code, String(error));
  return true;
};

test("what only a deleted backup needed leaves the store, in two collections; the others restore", async () => {
  const caller = await world.newCaller();
  const [kept, gone] = [
    await backUp(caller, (await makeVolume(world, caller, "kept", 1)).id),
    await backUp(caller, (await makeVolume(world, caller, "gone", 50)).id),
  ];
  impatient();
  await deleteBackup(world.context, caller, { backupId: gone });
  await world.runAll();
  const before = packsOf(caller.projectId);
  const plan = await planCollection(world.context, caller);
  assert.ok(plan !== undefined && plan.rootCount === 1);
  assert.deepEqual([plan.plan.stopped, plan.plan.unexplainedBytes], [undefined, 0]);
  const first = await collected(caller, false);
  assert.equal(first.status, "success", first.errorMessage);
  assert.deepEqual(packsOf(caller.projectId), before);
  const second = await collected(caller);
  assert.equal(second.status, "success", second.errorMessage);
  const result = second.result as { deleted: number; freedBytes: number };
  assert.equal(result.freedBytes, plan.plan.condemnBytes);
  assert.equal(packsOf(caller.projectId).length, before.length - result.deleted);
  assert.ok(result.deleted > 0);
  const { taskId } = await restoreBackup(world.context, caller, { backupId: kept, newVolumeName: "again" });
  await world.runAll();
  assert.equal((await showTask(world.context, caller, { taskId })).status, "success");
});

test("where what a backup needs is gone without a deletion, nothing is collected until an operator says so", async () => {
  const caller = await world.newCaller();
  const [, lost] = [
    await backUp(caller, (await makeVolume(world, caller, "kept", 1)).id),
    await backUp(caller, (await makeVolume(world, caller, "lost", 50)).id),
  ];
  assert.equal((await collected(caller, false)).status, "success");
  rmSync(join(world.sources, "..", "store", "objects", ...rootObjectKey(caller.projectId, lost).split("/")));
  const before = packsOf(caller.projectId);
  const stopped = await collected(caller, false);
  assert.equal(stopped.status, "failed");
  assert.match(stopped.errorMessage, /nothing that needed them was deleted/);
  assert.deepEqual(packsOf(caller.projectId), before);
  assert.equal((await collected(caller, true)).status, "success");
});

test("a deleted backup is gone, can be brought back, and restores; after its time it cannot", async () => {
  Object.assign(world.context, { settings: { ...world.context.settings, graceUs: 24 * 3600 * 1_000_000 } });
  const caller = await world.newCaller();
  const backupId = await backUp(caller, (await makeVolume(world, caller)).id);
  const was = await showBackup(world.context, caller, { backupId });
  await assert.rejects(undeleteBackup(world.context, caller, { backupId }), refusedWith("conflict"));
  await deleteBackup(world.context, caller, { backupId });
  await world.runAll();
  await assert.rejects(showBackup(world.context, caller, { backupId }), refusedWith("backupNotFound"));
  assert.deepEqual(
    (await listDeletedBackups(world.context, caller)).map((each) => each.backupId),
    [backupId],
  );
  assert.deepEqual(await undeleteBackup(world.context, caller, { backupId }), [backupId]);
  const is = await showBackup(world.context, caller, { backupId });
  assert.deepEqual({ ...is.backup, updatedAt: 0 }, { ...was.backup, updatedAt: 0 });
  const { taskId } = await restoreBackup(world.context, caller, { backupId, newVolumeName: "back" });
  await world.runAll();
  assert.equal((await showTask(world.context, caller, { taskId })).status, "success");
  await deleteBackup(world.context, caller, { backupId });
  await world.runAll();
  impatient();
  assert.equal((await collected(caller)).status, "success");
  await assert.rejects(undeleteBackup(world.context, caller, { backupId }), refusedWith("backupNotFound"));
  assert.deepEqual(await listDeletedBackups(world.context, caller), []);
});

test("collections are queued once in every interval, one for each project at a time", async () => {
  const caller = await world.newCaller();
  await backUp(caller, (await makeVolume(world, caller)).id);
  const hourUs = 3600 * 1_000_000;
  const context = { ...world.context, settings: { ...world.context.settings, collectIntervalUs: 24 * hourUs } };
  assert.equal(await queueDueCollections({ ...world.context, settings: { ...world.context.settings, collectIntervalUs: 0 } }), 0);
  assert.equal(await queueDueCollections(context), 0);
  clock.advance(25 * 3600 * 1000);
  const queued = await queueDueCollections(context);
  assert.ok(queued > 0);
  assert.equal(await queueDueCollections(context), 0);
  await assert.rejects(createCollection(world.context, caller, { force: false }), refusedWith("conflict"));
  await world.runAll();

  // Of a project whose key was destroyed nothing can be read: neither is tried again and again.
  const destroyed = join(world.sources, "..", "store", "objects", ...keyDestroyedObjectKey(caller.projectId).split("/"));
  writeFileSync(destroyed, "");
  clock.advance(25 * 3600 * 1000);
  // Of the other projects of this file one may have nothing left in the store by now.
  assert.ok((await queueDueCollections(context)) < queued);
  await queueDueChecks({ ...context, settings: { ...context.settings, checkDailyBytes: 2 ** 30 } });
  await world.runAll();
  const { items } = await world.catalog.tasks.list(caller.projectId, {}, { limit: 100, offset: 0 });
  assert.deepEqual([items.filter(({ type }) => type === "collect").length, items.filter(({ type }) => type === "check").length], [1, 0]);
  rmSync(destroyed);
});
