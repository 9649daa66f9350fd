import assert from "node:assert/strict";
import { copyFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { Engine } from "#repository/engine-types.ts";
import { startRunner } from "#worker/runner.ts";
import { makeVolume, makeWorld, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { listBackups } from "../backups/listBackups.ts";
import { readBackupRange } from "../backups/readBackupRange.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import type { Context } from "../context.ts";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { addServer } from "../resources/addServer.ts";
import { showTask } from "../tasks/showTask.ts";
import { createVault } from "../vaults/createVault.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const bytes = 100_000;
/** A file system that clones by shared blocks, for those that do not. */
const clone = async (from: string, to: string): Promise<boolean> => {
  copyFileSync(from, to);
  return true;
};
const cannotClone = (): Promise<boolean> => Promise.resolve(false);

/** A server of some disks, alone in a vault. */
async function protectedServer(caller: Caller, volumeIds: string[]): Promise<string> {
  const server = await addServer(world.context, caller, {
    name: "web",
    disks: volumeIds.map((volumeId, index) => ({ volumeId, systemDisk: index === 0 })),
  });
  const kind = { objectType: "server", protectType: "backup", consistentLevel: "crash_consistent" } as const;
  const resources = [{ id: server.id, type: server.type }];
  return (await createVault(world.context, caller, { ...kind, name: "v", sizeGib: 100, resources })).vault.id;
}

async function fileServer(caller: Caller): Promise<{ vaultId: string; paths: string[] }> {
  const paths = ["one", "two"].map((name, index) => writeSource(world, `${caller.projectId}-${name}`, noise(bytes, index)));
  const volumes = [];
  for (const path of paths) volumes.push(await addFileVolume(world.context, caller, { name: path.slice(-3), path }));
  return {
    vaultId: await protectedServer(
      caller,
      volumes.map((volume) => volume.id),
    ),
    paths,
  };
}

/** Makes a restore point with a context; `reading` is told which disk is about to be read. */
async function run(caller: Caller, vaultId: string, over: Partial<Context>, reading: (nth: number) => void = () => {}) {
  let nth = 0;
  const backup: Engine["backup"] = (request, control) => {
    reading(nth++);
    return world.engine.backup(request, control);
  };
  const engine = new Proxy(world.engine, { get: (target, key) => (key === "backup" ? backup : Reflect.get(target, key)) });
  const context = { ...world.context, engine, ...over };
  await createCheckpoint(context, caller, { vaultId });
  const runner = startRunner({ context, owner: context.settings.nodeId, concurrency: 1, heartbeatMs: 5 });
  await runner.idle();
  await runner.stop(0);
  const { items } = await listBackups(context, caller, { filter: { vaultId, parentId: null }, page: { limit: 1, offset: 0 } });
  const { backup: parent, children } = items[0]!;
  return { parent, children, task: await showTask(context, caller, { taskId: parent.taskId! }) };
}

const snapshots = (caller: Caller): string[] => readdirSync(world.context.settings.volumesPath).filter((name) => name.includes(caller.projectId));

test("all disks of a server are frozen before the first is read: what is written then is in none of them", async () => {
  const caller = await world.newCaller();
  const { vaultId, paths } = await fileServer(caller);
  const { parent, children, task } = await run(caller, vaultId, { clone }, (nth) => {
    if (nth === 0) for (const path of paths) writeFileSync(path, noise(bytes, 77));
  });
  assert.deepEqual([parent.status, task.status, task.result["warnings"]], ["available", "success", undefined]);
  for (const [index, child] of children.entries()) {
    const read = await readBackupRange(world.context, caller, { backupId: child.id, offset: 0, length: bytes });
    assert.deepEqual(Buffer.from(read.bytes), noise(bytes, index), `disk ${index}`);
    assert.ok(child.protectedAt! <= task.startedAt! + 60_000_000 && child.snapshotId !== null);
  }
  assert.equal(parent.protectedAt, Math.min(...children.map((child) => child.protectedAt!)));
  assert.equal(snapshots(caller).length, 2);
});

test("where files cannot be frozen the task says that the disks may not be of one instant; volumes of ours are not written meanwhile", async () => {
  const caller = await world.newCaller();
  const { vaultId } = await fileServer(caller);
  const { task } = await run(caller, vaultId, { clone: cannotClone });
  assert.deepEqual(task.result["warnings"], [
    "Not all disks could be frozen (one, two): if they were written meanwhile, the disks of the server are not of one instant.",
  ]);
  const other = await world.newCaller();
  const ours = [await makeVolume(world, other, "a"), await makeVolume(world, other, "b")];
  const local = await run(
    other,
    await protectedServer(
      other,
      ours.map((volume) => volume.id),
    ),
    { clone: cannotClone },
  );
  assert.deepEqual([local.task.status, local.task.result["warnings"]], ["success", undefined]);
});

test("a disk that cannot be frozen fails the server's backup; the disks before it stay, and no snapshot of the others is left", async () => {
  const caller = await world.newCaller();
  const { vaultId, paths } = await fileServer(caller);
  rmSync(paths[0]!);
  const { parent, children, task } = await run(caller, vaultId, { clone });
  assert.deepEqual([parent.status, task.status, task.errorCode], ["error", "failed", "BackupService.7004"]);
  assert.deepEqual(
    children.map((child) => [child.status, child.snapshotId]),
    [
      ["error", null],
      ["error", null],
    ],
  );
  assert.deepEqual(snapshots(caller), []);
  writeFileSync(paths[0]!, noise(bytes, 1));
  rmSync(paths[1]!);
  const second = await run(caller, vaultId, { clone });
  assert.deepEqual(
    second.children.map((child) => child.status),
    ["available", "error"],
  );
  assert.equal(snapshots(caller).length, 1);
});
