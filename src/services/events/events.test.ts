import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { ProjectEvent } from "#model/event.ts";
import { StaleTaskError, finishTask } from "../runs/run.ts";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { createCheck } from "../check/createCheck.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { createVault } from "../vaults/createVault.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { writeVolumeRange } from "../volumes/writeVolumeRange.ts";
import { makeVolume, makeWorld, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { dropOldEvents } from "./dropOldEvents.ts";
import { derivedId } from "./noteEvent.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const MiB = 1024 ** 2;

/** The project's events, oldest first. */
async function eventsOf(caller: Caller): Promise<ProjectEvent[]> {
  return (await world.catalog.events.list(caller.projectId, {}, { limit: 100, offset: 0 })).items.toReversed();
}
const typesOf = async (caller: Caller): Promise<string[]> => (await eventsOf(caller)).map(({ type }) => type);
// oxlint-disable-next-line typescript/no-explicit-any -- looked into, key by key
const dataOf = (event: ProjectEvent | undefined): any => event?.data;

test("the end of a task is an event, with what it was about and why it failed", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  assert.deepEqual(await typesOf(caller), []);
  await world.runAll();
  const path = writeSource(world, "gone.raw", noise(MiB, 3));
  const file = await addFileVolume(world.context, caller, { name: "gone", path });
  rmSync(path);
  await createVolumeBackup(world.context, caller, { volumeId: file.id, name: "two", incremental: false });
  await world.runAll();
  const [done, failed, ...more] = await eventsOf(caller);
  assert.deepEqual([done?.type, failed?.type, more], ["task.success", "task.failed", []]);
  const { task } = dataOf(done);
  assert.deepEqual(
    [task.operation_type, task.status, task.backup, task.resource.id, task.error],
    ["backup", "success", { id: backup.id, name: "one" }, volume.id, null],
  );
  assert.match(task.ended_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.equal(dataOf(failed).task.error.code, "BackupService.7004");
});

test("an event is there only when its task's end is", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  const { items } = await world.catalog.tasks.list(caller.projectId, {}, { limit: 1, offset: 0 });
  const end = { status: "failed" as const, now: 1, errorCode: "x", errorMessage: "y" };
  const rolledBack = world.catalog.transaction(async (tables) => {
    await finishTask(tables, items[0]!, end);
    throw new Error("no");
  });
  await assert.rejects(rolledBack, /no/);
  assert.deepEqual(await eventsOf(caller), []);
  const stale = world.catalog.transaction((tables) => finishTask(tables, { ...items[0]!, status: "running", fencingToken: 9 }, end));
  await assert.rejects(stale, StaleTaskError);
  assert.deepEqual(await eventsOf(caller), []);
});

test("a vault is nearly full once for each time that it becomes so, and only where that is wanted", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  // One per cent of 1 GiB is some 10.7 million bytes.
  const { vault } = await createVault(world.context, caller, {
    name: "small",
    sizeGib: 1,
    threshold: 2,
    objectType: "disk",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id: volume.id, type: "OS::Cinder::Volume" }],
  });
  const backUp = async (seed: number): Promise<string> => {
    await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 16 * MiB, bytes: noise(12 * MiB, seed) });
    const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId: vault.id });
    await world.runAll();
    return (await world.catalog.backups.ofCheckpoint(checkpoint.id))[0]!.id;
  };
  const crossings = async () => (await eventsOf(caller)).filter(({ type }) => type === "vault.nearly_full");
  await backUp(1);
  assert.equal((await crossings()).length, 0);
  const second = await backUp(2);
  const [crossing, ...more] = await crossings();
  assert.equal(more.length, 0);
  const told = dataOf(crossing).vault;
  assert.deepEqual([told.id, told.name, told.size_gib, told.threshold_percent], [vault.id, "small", 1, 2]);
  assert.ok(told.used_bytes >= 0.02 * 1024 ** 3 && told.used_percent >= 2 && told.used_percent < 3, JSON.stringify(told));
  const third = await backUp(3);
  assert.equal((await crossings()).length, 1, "it was over the threshold already");
  for (const id of [second, third]) await deleteBackup(world.context, caller, { backupId: id });
  await world.runAll();
  await backUp(4);
  assert.equal((await crossings()).length, 2, "it had been below");
  await world.catalog.vaults.update(vault.id, { smnNotify: false, threshold: 4 });
  await backUp(5);
  await backUp(6);
  assert.equal((await crossings()).length, 2, "nobody wants to know any more");
});

test("damage that a check finds is an event; a check that finds none is not", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  await world.runAll();
  await createCheck(world.context, caller, { readData: null });
  await world.runAll();
  await world.engine.deleteRoot(caller.projectId, backup.id);
  await createCheck(world.context, caller, { readData: null });
  await world.runAll();
  assert.deepEqual(await typesOf(caller), ["task.success", "task.success", "task.success", "check.damage_found"]);
  const [damage] = (await eventsOf(caller)).slice(-1);
  assert.deepEqual([dataOf(damage).damaged_backup_count, dataOf(damage).damaged_backups], [1, [{ id: backup.id }]]);
});

test("old events go", async () => {
  const caller = await world.newCaller();
  const now = world.context.clock.nowUs();
  const day = 86_400_000_000;
  const event = (age: number): ProjectEvent => ({
    id: derivedId("old", String(age), caller.projectId),
    projectId: caller.projectId,
    type: "webhook.test",
    data: {},
    createdAt: now - age * day,
  });
  for (const age of [40, 31, 29]) await world.catalog.events.insert(event(age));
  assert.equal(await dropOldEvents(world.context), 0);
  assert.equal(await dropOldEvents({ ...world.context, settings: { ...world.context.settings, eventDays: 30 } }), 2);
  assert.equal((await eventsOf(caller)).length, 1);
});
