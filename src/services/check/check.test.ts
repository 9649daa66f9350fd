import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { CheckFinding } from "#repository/engine-types.ts";
import type { DomainError } from "#model/errors.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { cancelTask } from "../tasks/cancelTask.ts";
import { showTask } from "../tasks/showTask.ts";
import { gatherFigures } from "../stats/gatherFigures.ts";
import { showStatistics } from "../stats/showStatistics.ts";
import { makeVolume, makeWorld, manualClock } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { createVolume } from "../volumes/createVolume.ts";
import { showVolume } from "../volumes/showVolume.ts";
import { createCheck } from "./createCheck.ts";
import { listDamage } from "./listDamage.ts";
import { queueDueChecks } from "./queueDueChecks.ts";
import { showBackupDamage } from "./showBackupDamage.ts";

const clock = manualClock();
let world: World;
before(async () => {
  world = await makeWorld({ clock });
});
after(() => world.close());

/** Flips a byte of the first chunk in every data pack of the project. */
function damagePacks(projectId: string): number {
  const folder = join(world.sources, "..", "store", "objects", "t", projectId, "packs");
  let damaged = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    if (!/[0-9a-f]{32}$/.test(name)) continue;
    const bytes = readFileSync(path);
    if (bytes[10] !== 1) continue;
    bytes[200]! ^= 1;
    writeFileSync(path, bytes);
    damaged++;
  }
  return damaged;
}

async function checked(caller: Caller, readData: { percent: number } | null = { percent: 100 }) {
  const { id } = await createCheck(world.context, caller, { readData });
  await world.runAll();
  const task = await showTask(world.context, caller, { taskId: id });
  assert.equal(task.status, "success", task.errorMessage);
  return task.result as {
    findingCount: number;
    findings: CheckFinding[];
    damagedRecords: number;
    damagedBackups: { backup_id: string; ranges: object[] }[];
  };
}

test("a check tells what is damaged; such a backup is refused unless holes are allowed; the next backup heals it", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  await world.runAll();
  assert.deepEqual((await checked(caller)).damagedBackups, []);
  assert.ok(damagePacks(caller.projectId) > 0);
  const found = await checked(caller);
  assert.ok(found.findingCount > 0);
  assert.deepEqual(
    found.damagedBackups.map((each) => each.backup_id),
    [backup.id],
  );
  const [damage] = await showBackupDamage(world.context, caller, { backupId: backup.id });
  assert.deepEqual([damage!.ranges[0]!.offset, damage!.ranges[0]!.length], [0, 65_536]);
  assert.equal((await listDamage(world.context, caller)).length, 1);

  const refused = await restoreBackup(world.context, caller, { backupId: backup.id, newVolumeName: "refused" });
  await world.runAll();
  const { status, errorMessage } = await showTask(world.context, caller, { taskId: refused.taskId });
  assert.equal(status, "failed");
  assert.match(errorMessage, /bytes 0 to 65536/);

  const holes = await restoreBackup(world.context, caller, { backupId: backup.id, newVolumeName: "holes", allowHoles: true });
  await world.runAll();
  const { result } = await showTask(world.context, caller, { taskId: holes.taskId });
  assert.deepEqual(
    (result["lost"] as { backup_id: string; ranges: { offset: number; length: number }[] }[]).map(({ backup_id: id, ranges }) => [
      id,
      ranges[0]!.offset,
    ]),
    [[backup.id, 0]],
  );

  const made = async (allowHoles: boolean): Promise<string> => {
    const { id } = await createVolume(world.context, caller, { backupId: backup.id, allowHoles });
    await world.runAll();
    return (await showVolume(world.context, caller, { volumeId: id })).status;
  };
  assert.deepEqual([await made(false), await made(true)], ["error_restoring", "available"]);
  await assert.rejects(
    createVolume(world.context, caller, { sizeGib: 1, allowHoles: true }),
    (error: DomainError) => error.code === "invalidRequest" && error.field === "allow_holes",
  );

  await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "two", incremental: true });
  await world.runAll();
  assert.deepEqual(await listDamage(world.context, caller), []);
  const healed = await restoreBackup(world.context, caller, { backupId: backup.id, newVolumeName: "healed" });
  await world.runAll();
  assert.equal((await showTask(world.context, caller, { taskId: healed.taskId })).status, "success");
});

test("a backup whose root object is gone is told as lost", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  await world.runAll();
  await world.engine.deleteRoot(caller.projectId, backup.id);
  const { damagedBackups } = await checked(caller, null);
  assert.deepEqual(
    damagedBackups.map((each) => each.backup_id),
    [backup.id],
  );
});

test("the catalog is held against what is sealed in the store", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  await world.runAll();
  assert.equal((await checked(caller, null)).findingCount, 0);
  const sound = (await world.catalog.backups.get(caller.projectId, backup.id))!;
  const told = async (): Promise<string> => {
    const { findings, findingCount } = await checked(caller, null);
    assert.equal(findings.length, findingCount);
    for (const { object, repaired } of findings) assert.deepEqual([object, repaired], ["catalog", false]);
    return findings.map(({ reason }) => reason).join();
  };
  for (const [wrong, words] of [
    [{ resourceId: "another" }, /do not say the same of its resourceId; .*opencbr rebuild/],
    [{ resourceSizeGib: 7, protectedAt: 7 }, /its resourceSizeGib, protectedAt;/],
    [{ rootKey: "t/elsewhere/roots/x" }, /looks for its root object at t\/elsewhere/],
  ] as const) {
    await world.catalog.backups.update(backup.id, wrong);
    assert.match(await told(), words);
    await world.catalog.backups.update(backup.id, sound);
  }
  await world.catalog.backups.remove(backup.id);
  assert.match(await told(), new RegExp(`backup ${backup.id}: the store has it, the catalog does not know it`));
  await world.catalog.backups.insert(sound);
  assert.equal(await told(), "");
});

test("one check of a project at a time; amounts that are none are refused by name", async () => {
  const caller = await world.newCaller();
  await createCheck(world.context, caller, { readData: null });
  await assert.rejects(createCheck(world.context, caller, { readData: null }), (error) => (error as DomainError).code === "conflict");
  await world.runAll();
  for (const readData of [{ percent: 0 }, { percent: 101 }, { bytes: 0 }, { bytes: 1.5 }])
    await assert.rejects(createCheck(world.context, caller, { readData }), (error) => (error as DomainError).code === "invalidRequest");
});

test("with a daily budget, a day's checks are queued once", async () => {
  const caller = await world.newCaller();
  await makeVolume(world, caller).then((volume) =>
    createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false }),
  );
  await world.runAll();
  assert.equal(await queueDueChecks(world.context), 0);
  const context = { ...world.context, settings: { ...world.context.settings, checkDailyBytes: 2 ** 30 } };
  assert.ok((await queueDueChecks(context)) > 0);
  assert.equal(await queueDueChecks(context), 0);
  await world.runAll();
  clock.advance(25 * 3_600_000);
  assert.ok((await queueDueChecks(context)) > 0);
  await world.runAll();
  const { items } = await world.catalog.tasks.list(caller.projectId, { type: "check" }, { limit: 10, offset: 0 });
  assert.deepEqual(
    items.map((task) => task.status),
    ["success", "success"],
  );
});

test("statistics add up the backups of a project, by vault and by disk", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  for (const incremental of [false, true]) {
    await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "b", incremental });
    await world.runAll();
  }
  const { project, vaults, resources } = await showStatistics(world.context, caller);
  assert.equal(project.backupCount, 2);
  assert.equal(project.logicalBytes, 2 * project.uniqueBytes, "the second backup stored nothing");
  assert.equal(project.changeRate, 0);
  assert.ok(project.storedBytes > 0 && project.storeBytes > project.storedBytes && project.savings > 0.4 && project.savings < 1);
  assert.deepEqual([vaults.length, resources.map((each) => each.resourceId)], [1, [volume.id]]);
  assert.equal(vaults[0]!.storedBytes, project.storedBytes);
  const empty = await showStatistics(world.context, await world.newCaller());
  assert.deepEqual([empty.project.backupCount, empty.project.savings, empty.project.changeRate], [0, 0, null]);
});

test("a waiting check is cancelled at once, and another may be asked for", async () => {
  const caller = await world.newCaller();
  const { id } = await createCheck(world.context, caller, { readData: null });
  const { status, errorMessage } = await cancelTask(world.context, caller, { taskId: id });
  assert.deepEqual([status, errorMessage], ["failed", "cancelled"]);
  await world.runAll();
  assert.equal((await showTask(world.context, caller, { taskId: id })).status, "failed");
  assert.deepEqual((await checked(caller)).damagedBackups, []);
});

test("figures come from what was really done", async () => {
  const value = async (name: string, labels: Record<string, string> = {}): Promise<number> => {
    const figure = (await gatherFigures(world.context)).find((each) => each.name === name);
    assert.ok(figure, name);
    return figure.values.find((each) => Object.entries(labels).every(([key, text]) => each.labels[key] === text))?.value ?? 0;
  };
  const before = [await value("backup_new_bytes_total"), await value("tasks_total", { type: "backup", status: "success" })];
  const puts = await value("store_requests_total", { operation: "put", outcome: "ok" });
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller, "measured", 77);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, name: "one", incremental: false });
  assert.equal(await value("queue_depth"), 1);
  await world.runAll();
  assert.equal(await value("queue_depth"), 0);
  const { statistics } = (await world.catalog.backups.get(caller.projectId, backup.id))!;
  assert.equal((await value("backup_new_bytes_total")) - before[0]!, statistics!.newBytes);
  assert.equal((await value("tasks_total", { type: "backup", status: "success" })) - before[1]!, 1);
  assert.ok((await value("store_requests_total", { operation: "put", outcome: "ok" })) >= puts + 3, "a data pack, a page pack and a root");
  assert.ok((await value("compression_ratio")) > 0 && (await value("dedup_ratio")) > 0);
  assert.deepEqual([await value("lease_age_seconds"), await value("store_errors_total")], [0, 0]);

  // A worker that claims and falls silent.
  const { id } = await createCheck(world.context, caller, { readData: null });
  const now = clock.nowUs();
  const silent = (await world.catalog.tasks.claim({ owner: "silent", now, leaseUntil: now + 3600e6 }))!;
  assert.equal(silent.id, id);
  clock.advance(90_000);
  assert.equal(Math.floor(await value("lease_age_seconds")), 90);
  assert.equal(await value("tasks_running"), 1);
  await world.catalog.tasks.finish(id, silent.fencingToken, { status: "failed", now: clock.nowUs() });
});
