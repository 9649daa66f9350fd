import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import { ChangeRecord } from "#sources/change-record.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { showBackup } from "../backups/showBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { addServer } from "../resources/addServer.ts";
import { createSnapshot } from "../snapshots/createSnapshot.ts";
import { changeLogPath, localPath } from "../support/paths.ts";
import { listTasks } from "../tasks/listTasks.ts";
import { showTask } from "../tasks/showTask.ts";
import { createVault } from "../vaults/createVault.ts";
import { deleteVolume } from "./deleteVolume.ts";
import { extendVolume } from "./extendVolume.ts";
import { writeVolumeRange } from "./writeVolumeRange.ts";
import { edges, makeVolume, makeWorld, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const gib = 1024 ** 3;
const CHUNK = 65_536;

async function backUp(caller: Caller, volumeId: string, incremental: boolean, snapshotId?: string) {
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId, incremental, ...(snapshotId === undefined ? {} : { snapshotId }) });
  await world.runAll();
  const made = (await showBackup(world.context, caller, { backupId: backup.id })).backup;
  assert.equal(made.status, "available", made.failReason ?? "");
  const { result } = await showTask(world.context, caller, { taskId: made.taskId! });
  return { backup: made, result, readBytes: made.statistics!.readBytes };
}

/** Restored, a backup is what the volume is now. */
async function assertIsVolume(caller: Caller, backupId: string, volumeId: string): Promise<void> {
  const restored = await restoreBackup(world.context, caller, { backupId, newVolumeName: "copy" });
  await world.runAll();
  assert.deepEqual(await edges(world, restored.volumeId!), await edges(world, volumeId));
  await deleteVolume(world.context, caller, { volumeId: restored.volumeId! });
}

const write = (caller: Caller, volumeId: string, offset: number, bytes: Uint8Array) =>
  writeVolumeRange(world.context, caller, { volumeId, offset, bytes });

/** Past the service. */
function poke(path: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

test("an incremental reads what was written since its base, and a sample; the base may be an older backup", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  for (let mib = 16; mib < 80; mib += 16) await write(caller, volume.id, mib * 1024 * 1024, noise(8 * 1024 * 1024, mib));
  const full = await backUp(caller, volume.id, false);
  assert.deepEqual([full.result["changeList"], full.result["changeListReason"]], ["none", undefined]);
  const untouched = await backUp(caller, volume.id, true);
  assert.deepEqual([untouched.result["changeList"], untouched.result["warnings"]], ["used", undefined]);
  assert.ok(untouched.readBytes <= 32 * CHUNK && untouched.readBytes > 0, `${untouched.readBytes} bytes of sample`);
  await write(caller, volume.id, 100_000, noise(50_000, 9));
  const second = await backUp(caller, volume.id, true);
  assert.equal(second.result["changeList"], "used");
  assert.ok(second.readBytes <= (32 + 2) * CHUNK && second.readBytes < full.readBytes / 8);
  await assertIsVolume(caller, second.backup.id, volume.id);
  // The base of the next one is the first backup: what the deleted ones had is read again.
  await write(caller, volume.id, gib - 10_000, noise(10_000, 10));
  for (const { backup } of [untouched, second]) await deleteBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  const third = await backUp(caller, volume.id, true);
  assert.deepEqual([third.backup.baseId, third.result["changeList"]], [full.backup.id, "used"]);
  await assertIsVolume(caller, third.backup.id, volume.id);
});

test("what the record cannot vouch for is read whole, and the task says so", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const [path, log] = [localPath(world.context.settings, volume.id), changeLogPath(world.context.settings, volume.id)];
  await backUp(caller, volume.id, false);
  const accidents: Record<string, () => void | Promise<unknown>> = {
    "another program wrote": () => poke(path, 150_000, noise(1000, 20)),
    "a bit of the record turned": () => {
      const bytes = readFileSync(log);
      bytes[40]! ^= 4;
      writeFileSync(log, bytes);
    },
    "the end of the record is lost": () => truncateSync(log, statSync(log).size - 40),
    "a process died while it wrote": async () => {
      const { promise: written, resolve: tellWritten } = Promise.withResolvers<Buffer>();
      await new ChangeRecord(path, log).write([{ offset: 0, length: 1000 }], async (disk) => {
        await disk.write(noise(1000, 21), 0, 1000, 0);
        tellWritten(readFileSync(log));
      });
      writeFileSync(log, await written);
    },
  };
  for (const [what, happens] of Object.entries(accidents)) {
    await happens();
    const next = await backUp(caller, volume.id, true);
    assert.equal(next.result["changeList"], "none", what);
    assert.match(String(next.result["changeListReason"]), /does not reach back/);
    await assertIsVolume(caller, next.backup.id, volume.id);
    await write(caller, volume.id, 70_000, noise(10, 22));
    assert.equal((await backUp(caller, volume.id, true)).result["changeList"], "used", `after: ${what}`);
  }
});

test("a record that lies is found out by the sample: all is read, with a warning, and the record begins anew", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  await backUp(caller, volume.id, false);
  const record = new ChangeRecord(localPath(world.context.settings, volume.id), changeLogPath(world.context.settings, volume.id));
  const bytes = await edges(world, volume.id);
  // Everything is another now, and the record believes that nothing was written.
  await record.write([], async (disk) => {
    await disk.write(noise(200_000, 30), 0, 200_000, 0);
    await disk.write(noise(70_000, 31), 0, 70_000, gib - 70_000);
  });
  assert.notDeepEqual(await edges(world, volume.id), bytes);
  const found = await backUp(caller, volume.id, true);
  assert.equal(found.result["changeList"], "refused");
  assert.match(String((found.result["warnings"] as string[])[0]), /has changed/);
  await assertIsVolume(caller, found.backup.id, volume.id);
  assert.deepEqual(
    [(await backUp(caller, volume.id, true)).result["changeList"], (await backUp(caller, volume.id, true)).result["changeList"]],
    ["none", "used"],
  );
});

test("everything is read after a restore over the volume, but not after an extension; a deleted volume leaves no record", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const first = await backUp(caller, volume.id, false);
  await write(caller, volume.id, 0, noise(1000, 40));
  await backUp(caller, volume.id, true);
  await restoreBackup(world.context, caller, { backupId: first.backup.id, volumeId: volume.id });
  await world.runAll();
  const afterRestore = await backUp(caller, volume.id, true);
  assert.equal(afterRestore.result["changeList"], "none");
  await assertIsVolume(caller, afterRestore.backup.id, volume.id);

  await extendVolume(world.context, caller, { volumeId: volume.id, newSizeGib: 2 });
  await write(caller, volume.id, 2 * gib - 5000, noise(5000, 41));
  const grown = await backUp(caller, volume.id, true);
  assert.equal(grown.result["changeList"], "used");
  await assertIsVolume(caller, grown.backup.id, volume.id);
  assert.ok(existsSync(changeLogPath(world.context.settings, volume.id)));
  await deleteVolume(world.context, caller, { volumeId: volume.id });
  assert.equal(existsSync(changeLogPath(world.context.settings, volume.id)), false);
});

test("of files of the operator's and of snapshots nothing is recorded; a server's disks each have a record", async () => {
  const caller = await world.newCaller();
  const file = await addFileVolume(world.context, caller, {
    path: writeSource(world, `changes-${caller.projectId}`, noise(300_000, 50)),
    name: "file",
  });
  await backUp(caller, file.id, false);
  const second = await backUp(caller, file.id, true);
  assert.equal(second.result["changeList"], "none");
  assert.match(String(second.result["changeListReason"]), /file of the operator's/);

  const volume = await makeVolume(world, caller);
  await backUp(caller, volume.id, false);
  const snapshot = await createSnapshot(world.context, caller, { volumeId: volume.id });
  await world.runAll();
  const ofSnapshot = await backUp(caller, volume.id, true, snapshot.id);
  assert.equal(ofSnapshot.result["changeList"], "none");
  assert.match(String(ofSnapshot.result["changeListReason"]), /snapshot/);

  const other = await makeVolume(world, caller, "other", 51);
  const disks = [
    { volumeId: other.id, systemDisk: true },
    { volumeId: file.id, systemDisk: false },
  ];
  const server = await addServer(world.context, caller, { name: "host", disks });
  const { vault } = await createVault(world.context, caller, {
    name: "servers",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    objectType: "server",
    sizeGib: 10,
    resources: [{ id: server.id, type: "OS::Nova::Server" }],
  });
  for (const wanted of ["none", "partly"]) {
    await createCheckpoint(world.context, caller, { vaultId: vault.id, incremental: wanted === "partly" });
    await world.runAll();
    const { items } = await listTasks(world.context, caller, { filter: { vaultId: vault.id, type: "backup" }, page: { limit: 1, offset: 0 } });
    assert.deepEqual([items[0]!.status, items[0]!.result["changeList"]], ["success", wanted]);
  }
});

test("writes that race with backups are in the image, or told to the next one", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  await backUp(caller, volume.id, false);
  let written = 0;
  for (let round = 0; round < 12; round++) {
    const writes = Array.from({ length: 6 }, (_, n) =>
      write(caller, volume.id, ((round * 7 + n * 13) % 45) * 6000, noise(6000, 100 + round * 6 + n)).then(
        () => written++,
        (error: { code: string }) => assert.equal(error.code, "volumeStatusForbids"),
      ),
    );
    await Promise.race(writes);
    const backup = createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: true });
    await Promise.all([...writes, backup]);
    await world.runAll();
    const { backup: made } = await showBackup(world.context, caller, { backupId: (await backup).backup.id });
    assert.equal(made.status, "available");
    assert.equal((await showTask(world.context, caller, { taskId: made.taskId! })).result["changeList"], "used");
  }
  assert.ok(written > 0);
  const last = await backUp(caller, volume.id, true);
  assert.equal(last.result["changeList"], "used");
  await assertIsVolume(caller, last.backup.id, volume.id);
});
