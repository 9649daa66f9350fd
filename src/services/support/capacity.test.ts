import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import { silentLog } from "#platform/log.ts";
import type { Engine } from "#repository/engine-types.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { listBackups } from "../backups/listBackups.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { listTasks } from "../tasks/listTasks.ts";
import { showVault } from "../vaults/showVault.ts";
import { updateVault } from "../vaults/updateVault.ts";
import { all, disk, newVault, refused } from "../../../test/support/vaults.ts";
import { makeVolume, makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

const gib = 1024 ** 3;
let world: World;
/** What each backup is said to have stored. */
let storedBytes: number;
let alerts: number[];
before(async () => {
  world = await makeWorld();
  const { engine } = world.context;
  const backup: Engine["backup"] = async (...asked) => ({ ...(await engine.backup(...asked)), storedBytes });
  world.context.engine = new Proxy(engine, { get: (target, key) => (key === "backup" ? backup : Reflect.get(target, key)) });
  world.context.log = {
    ...silentLog,
    warn: (fields, message) => {
      if (message === "a vault is nearly full") alerts.push((fields as { percent: number }).percent);
    },
  };
});
after(() => world.close());

async function setUp(overrides: Parameters<typeof newVault>[2]) {
  alerts = [];
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(world, caller, { resources: [disk(volume)], ...overrides });
  return { caller, vaultId: vault.id };
}

async function run(caller: Caller, vaultId: string, bytes: number): Promise<string> {
  storedBytes = bytes;
  await createCheckpoint(world.context, caller, { vaultId });
  await world.runAll();
  const [task] = (await listTasks(world.context, caller, { filter: { type: "backup" }, page: all })).items;
  return `${task!.status} ${task!.errorCode}`.trim();
}

const backups = async (caller: Caller) => (await listBackups(world.context, caller, { filter: {}, page: all })).items.map((view) => view.backup);
const view = (caller: Caller, vaultId: string) => showVault(world.context, caller, { vaultId });

test("a backup that would overfill its vault fails, and what it stored is not counted", async () => {
  const { caller, vaultId } = await setUp({ sizeGib: 2 });
  assert.equal(await run(caller, vaultId, 1.5 * gib), "success");
  assert.equal(await run(caller, vaultId, gib), "failed BackupService.6114");
  assert.equal((await view(caller, vaultId)).usage.usedBytes, 1.5 * gib);
  const [failed, kept] = await backups(caller);
  assert.deepEqual([failed!.status, failed!.rootKey, kept!.status], ["error", null, "available"]);
  assert.match(failed!.failReason!, /512 MB more/);
  assert.deepEqual(await world.engine.listRoots(caller.projectId), [kept!.id]);
  assert.equal(await run(caller, vaultId, gib / 2), "success", "what fits exactly is taken");
  await refused(createCheckpoint(world.context, caller, { vaultId }), "vaultFull", "6114");
});

test("a vault that may grow does when it is full: in the run that fills it, and before the next one", async () => {
  const { caller, vaultId } = await setUp({ sizeGib: 2, autoExpand: true });
  assert.equal(await run(caller, vaultId, gib), "success");
  assert.equal((await view(caller, vaultId)).vault.sizeGib, 2);
  assert.equal(await run(caller, vaultId, 3 * gib), "success");
  assert.equal((await view(caller, vaultId)).vault.sizeGib, 5, "2 → 3 → 4 → 5");
  await updateVault(world.context, caller, { vaultId, autoExpand: false });
  assert.equal(await run(caller, vaultId, gib), "success");
  await updateVault(world.context, caller, { vaultId, autoExpand: true });
  assert.equal(await run(caller, vaultId, 1), "success");
  assert.equal((await view(caller, vaultId)).vault.sizeGib, 7);
  assert.equal(await run(caller, vaultId, 2000 * gib), "failed BackupService.6114", "it does not grow beyond the largest size");
  assert.equal((await view(caller, vaultId)).vault.sizeGib, 7);
});

test("an alert is raised once for each time that usage rises to the threshold", async () => {
  const { caller, vaultId } = await setUp({ sizeGib: 10 });
  await run(caller, vaultId, 7 * gib);
  assert.deepEqual(alerts, []);
  await run(caller, vaultId, gib);
  assert.deepEqual(alerts, [80]);
  await run(caller, vaultId, gib / 2);
  assert.deepEqual(alerts, [80]);
  await deleteBackup(world.context, caller, { backupId: (await backups(caller)).at(-1)!.id });
  await world.runAll();
  await run(caller, vaultId, 8 * gib);
  assert.deepEqual(alerts, [80, 95]);
  await updateVault(world.context, caller, { vaultId, sizeGib: 20 });
  await updateVault(world.context, caller, { vaultId, threshold: 40 });
  assert.deepEqual(alerts, [80, 95, 47], "a lower threshold is one that usage has risen to");
  await updateVault(world.context, caller, { vaultId, smnNotify: false, threshold: 90 });
  await updateVault(world.context, caller, { vaultId, sizeGib: 10 });
  assert.equal(alerts.length, 3);
});
