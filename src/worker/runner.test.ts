import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "#platform/clock.ts";
import type { Engine } from "#repository/engine-types.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import { showTask } from "#services/tasks/showTask.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { createCheckpoint } from "#services/checkpoints/createCheckpoint.ts";
import { listBackups } from "#services/backups/listBackups.ts";
import { aborted, makeVolume, makeWorld, manualClock } from "../../test/support/world.ts";
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

/** The engine, with a gate that each backup waits at: opened by `open`, or left by the run's signal. */
function gated() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  let entered = (): void => {};
  const waiting = new Promise<void>((resolve) => (entered = resolve));
  const backup: Engine["backup"] = async (request, control) => {
    control.onProgress?.({ phase: "reading", bytesDone: 25, bytesTotal: 100 });
    entered();
    await Promise.race([opened, aborted(control.signal!)]);
    return world.engine.backup(request, control);
  };
  const engine = new Proxy(world.engine, { get: (target, key) => (key === "backup" ? backup : Reflect.get(target, key)) });
  return { context: { ...world.context, engine }, open, waiting };
}

async function oneBackup() {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  return {
    backup: async () => (await showBackup(world.context, caller, { backupId: backup.id })).backup,
    task: () => showTask(world.context, caller, { taskId: backup.taskId! }),
    caller,
    volume,
  };
}

test("heartbeats carry the progress and keep the lease", async () => {
  const it = await oneBackup();
  const gate = gated();
  const runner = startRunner({ context: gate.context, owner: "o", concurrency: 1, heartbeatMs: 5, leaseMs: 1000 });
  await gate.waiting;
  const first = (await it.task()).leaseExpiresAt!;
  clock.advance(5000);
  while ((await it.task()).leaseExpiresAt === first) await systemClock.sleep(2);
  const { progress, leaseExpiresAt, status } = await it.task();
  assert.deepEqual([status, progress.phase, progress.bytesDone, progress.bytesTotal], ["running", "reading", 25, 100]);
  assert.ok(leaseExpiresAt! > first);
  assert.equal(runner.isActive((await it.task()).id), true);
  gate.open();
  await runner.idle();
  await runner.stop(0);
  assert.equal((await it.backup()).status, "available");
});

test("stopping lets a running task finish within the grace, and claims nothing more", async () => {
  const it = await oneBackup();
  const gate = gated();
  const runner = startRunner({ context: gate.context, owner: "o", concurrency: 1 });
  await gate.waiting;
  const next = await oneBackup();
  const stopped = runner.stop(60_000);
  gate.open();
  await stopped;
  assert.deepEqual([(await it.backup()).status, (await next.backup()).status], ["available", "waiting_protect"]);
  await world.runAll();
});

test("a task that outlasts the grace is interrupted and says so", async () => {
  const it = await oneBackup();
  const gate = gated();
  const runner = startRunner({ context: gate.context, owner: "o", concurrency: 1 });
  await gate.waiting;
  await runner.stop(0);
  const backup = await it.backup();
  assert.equal(backup.status, "error");
  assert.match(backup.failReason!, /service was stopped/);
});

test("a run whose lease another worker took writes nothing", async () => {
  const it = await oneBackup();
  const gate = gated();
  const runner = startRunner({ context: gate.context, owner: "o", concurrency: 1, heartbeatMs: 5 });
  await gate.waiting;
  const { id, fencingToken } = await it.task();
  assert.equal(await world.catalog.tasks.requeue(id, fencingToken, clock.nowUs()), true);
  await world.runAll();
  await runner.idle();
  await runner.stop(0);
  assert.deepEqual([(await it.task()).status, (await it.backup()).status], ["success", "available"]);
  assert.deepEqual(await world.engine.listRoots(it.caller.projectId), [(await it.backup()).id]);
});

test("an unforeseen error fails the task with a sentence that tells nothing of the inside", async () => {
  const it = await oneBackup();
  const engine = new Proxy(world.engine, {
    get: (target, key) => (key === "backup" ? () => Promise.reject(new TypeError("/srv/secret is undefined")) : Reflect.get(target, key)),
  });
  const runner = startRunner({ context: { ...world.context, engine }, owner: "o", concurrency: 1 });
  await runner.idle();
  await runner.stop(0);
  const { status, failReason } = await it.backup();
  assert.equal(status, "error");
  assert.match(failReason!, /unexpected/);
  assert.doesNotMatch(failReason!, /secret/);
  assert.equal((await it.task()).errorCode, "BackupService.9910");
});

test("a tick recovers tasks whose lease has passed, except those of this process", async () => {
  const it = await oneBackup();
  const now = clock.nowUs();
  const task = await world.catalog.tasks.claim({ owner: "dead", now, leaseUntil: now + 1000 });
  clock.advance(2);
  await tick(world.context, (id) => id === task!.id);
  assert.equal((await it.task()).status, "running");
  await tick(world.context, () => false);
  assert.deepEqual([(await it.task()).status, (await it.backup()).status], ["failed", "error"]);
});

test("a tick deletes backups whose time is over, and only those", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await createVault(world.context, caller, {
    name: "v",
    sizeGib: 10,
    objectType: "disk",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id: volume.id, type: "OS::Cinder::Volume" }],
  });
  for (const retentionDays of [1, 30]) {
    await createCheckpoint(world.context, caller, { vaultId: vault.id, retentionDays });
    await world.runAll();
  }
  const left = async () =>
    (await listBackups(world.context, caller, { filter: {}, page: { limit: 10, offset: 0 } })).items.map((each) => each.backup);
  await tick(world.context, () => false);
  await world.runAll();
  assert.equal((await left()).length, 2);
  clock.advance(25 * 3_600_000);
  await tick(world.context, () => false);
  await world.runAll();
  const kept = await left();
  assert.equal(kept.length, 1);
  assert.equal(Math.round((kept[0]!.expiredAt! - kept[0]!.createdAt) / 86_400e6), 30);
});

test("the rate is that of the last seconds, never negative", () => {
  const at = manualClock();
  const meter = progressMeter(at, "x");
  for (let second = 1; second <= 20; second++) {
    at.advance(1000);
    meter.say({ phase: "x", bytesDone: second * (second <= 10 ? 100 : 300), bytesTotal: 6000 });
  }
  assert.ok(Math.abs(meter.latest().rate - 300) <= 1, String(meter.latest().rate));
  fc.assert(
    fc.property(fc.array(fc.record({ ms: fc.nat(10_000), bytes: fc.nat() })), (steps) => {
      const any = progressMeter(at, "x");
      for (const { ms, bytes } of steps) {
        at.advance(ms);
        any.say({ phase: "x", bytesDone: bytes, bytesTotal: null });
        assert.ok(any.latest().rate >= 0 && Number.isFinite(any.latest().rate));
      }
    }),
  );
});
