import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Engine, TaskControl } from "#repository/engine-types.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { restoreBackup } from "#services/backups/restoreBackup.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import { restorePart } from "#services/runs/failRestore.ts";
import { cancelTask } from "#services/tasks/cancelTask.ts";
import { showTask } from "#services/tasks/showTask.ts";
import { showVolume } from "#services/volumes/showVolume.ts";
import { writeVolumeRange } from "#services/volumes/writeVolumeRange.ts";
import { aborted, edges, makeVolume, makeWorld, manualClock, noise } from "../../test/support/world.ts";
import type { World } from "../../test/support/world.ts";
import { progressMeter } from "./progress-meter.ts";
import { startRunner } from "./runner.ts";
import { tick } from "./scheduler.ts";

const clock = manualClock();
let world: World;
before(async () => {
  world = await makeWorld({ clock });
});
after(() => world.close());

const dayMs = 24 * 3600 * 1000;

type When = "within" | "after";

/**
 * The engine, for which `during` is done first; then its run of `method` is told to stop `within` its work, or only `after` it has done all of it.
 */
function interrupted(method: "backup" | "restore", during: () => Promise<unknown>, when?: When) {
  const call = world.engine[method] as (request: never, control: TaskControl) => Promise<unknown>;
  const run = async (request: never, control: TaskControl): Promise<unknown> => {
    await during();
    if (when === undefined) return await call(request, control);
    const stopped = aborted(control.signal!);
    if (when === "after") {
      const outcome = await call(request, {});
      await stopped;
      return outcome;
    }
    await stopped;
    const stop = new AbortController();
    return await call(request, { signal: stop.signal, onProgress: () => stop.abort() });
  };
  const engine = new Proxy(world.engine, { get: (target, key) => (key === method ? (run as Engine[typeof method]) : Reflect.get(target, key)) });
  return { ...world.context, engine };
}

/** Runs what is queued with this context to its end. */
async function runWith(context: World["context"]): Promise<void> {
  const runner = startRunner({ context, owner: context.settings.nodeId, concurrency: 1, heartbeatMs: 5 });
  await runner.idle();
  await runner.stop(0);
}

const partFiles = (): string[] => readdirSync(world.context.settings.volumesPath).filter((name) => !/\.(raw|changes)$/.test(name));
const unfinishedObjects = (): string[] => readdirSync(join(world.sources, "..", "store", "tmp"));

for (const when of ["within", "after"] as const)
  test(`a backup cancelled ${when} its work: no root, unfinished object or file is left; backup, task, volume say so; the next works`, async () => {
    const caller = await world.newCaller();
    const volume = await makeVolume(world, caller);
    const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
    await runWith(interrupted("backup", () => cancelTask(world.context, caller, { taskId: backup.taskId! }), when));
    const left = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
    assert.deepEqual([left.status, left.failReason], ["error", "cancelled"]);
    const task = await showTask(world.context, caller, { taskId: backup.taskId! });
    assert.deepEqual([task.status, task.errorMessage, task.leaseOwner], ["failed", "cancelled", null]);
    assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
    assert.deepEqual(await world.engine.listRoots(caller.projectId), []);
    assert.deepEqual([unfinishedObjects(), partFiles()], [[], []]);
    const next = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
    await world.runAll();
    assert.equal((await showBackup(world.context, caller, { backupId: next.backup.id })).backup.status, "available");
  });

for (const when of ["within", "after"] as const)
  test(`a restore cancelled ${when} its work: the volume keeps its content and status, the backup is available, nothing lies beside`, async () => {
    const caller = await world.newCaller();
    const volume = await makeVolume(world, caller);
    const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
    await world.runAll();
    await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(100_000, 77) });
    const content = await edges(world, volume.id);
    const { taskId } = await restoreBackup(world.context, caller, { backupId: backup.id, volumeId: volume.id });
    await runWith(interrupted("restore", () => cancelTask(world.context, caller, { taskId }), when));
    const task = await showTask(world.context, caller, { taskId });
    assert.deepEqual([task.status, task.errorMessage], ["failed", "cancelled"]);
    assert.equal((await showVolume(world.context, caller, { volumeId: volume.id })).status, "available");
    assert.equal((await showBackup(world.context, caller, { backupId: backup.id })).backup.status, "available");
    assert.deepEqual(await edges(world, volume.id), content);
    assert.deepEqual([existsSync(restorePart(world.context, volume.id)), partFiles(), unfinishedObjects()], [false, [], []]);
  });

test("a clock set back by a day while a backup runs: its lease holds, it ends well, and neither a rate nor a duration is negative", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  const taskOf = () => showTask(world.context, caller, { taskId: backup.taskId! });
  const setBack = async (): Promise<void> => {
    const before = (await taskOf()).leaseExpiresAt!;
    clock.advance(-dayMs);
    // Somebody else looks for tasks whose worker died.
    await tick(world.context, () => false);
    while ((await taskOf()).leaseExpiresAt! >= before) await clock.sleep(2);
    assert.ok((await taskOf()).leaseExpiresAt! <= clock.nowUs() + 30_000_000, "the lease is that of the clock of now");
    await tick(world.context, () => false);
  };
  await runWith(interrupted("backup", setBack));
  const task = await taskOf();
  assert.deepEqual([task.status, task.errorMessage], ["success", ""]);
  assert.ok(task.progress.rate >= 0);
  const made = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
  assert.equal(made.status, "available");
  assert.ok(made.statistics!.durationMs >= 0);
  clock.advance(dayMs);
});

test("a clock set back by a day and forward again: what is kept until a time is neither deleted early nor kept from being deleted", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await world.runAll();
  await world.catalog.backups.update(backup.id, { expiredAt: clock.nowUs() + 3600 * 1_000_000 });
  const isThere = async (): Promise<boolean> => (await world.catalog.backups.get(caller.projectId, backup.id)) !== undefined;
  for (const ms of [-dayMs, dayMs / 2, dayMs / 2]) {
    clock.advance(ms);
    await tick(world.context, () => false);
    await world.runAll();
    assert.ok(await isThere(), `${ms} ms`);
  }
  clock.advance(2 * 3600 * 1000);
  await tick(world.context, () => false);
  await world.runAll();
  assert.equal(await isThere(), false);
});

test("a clock set back by a day: the rate is told again at once", () => {
  const meter = progressMeter(clock, "x");
  meter.say({ phase: "x", bytesDone: 1000, bytesTotal: null });
  clock.advance(-dayMs);
  meter.say({ phase: "x", bytesDone: 2000, bytesTotal: null });
  assert.equal(meter.latest().rate, 0);
  clock.advance(1000);
  meter.say({ phase: "x", bytesDone: 3000, bytesTotal: null });
  assert.ok(meter.latest().rate > 900, String(meter.latest().rate));
});
