import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import type { ErrorCode } from "#model/errors.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { showBackup } from "../backups/showBackup.ts";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { addServer } from "../resources/addServer.ts";
import { listResources } from "../resources/listResources.ts";
import { removeResource } from "../resources/removeResource.ts";
import { showResource } from "../resources/showResource.ts";
import { updateResource } from "../resources/updateResource.ts";
import { createSnapshot } from "../snapshots/createSnapshot.ts";
import { deleteSnapshot } from "../snapshots/deleteSnapshot.ts";
import { listSnapshots } from "../snapshots/listSnapshots.ts";
import { showSnapshot } from "../snapshots/showSnapshot.ts";
import { backgroundIdle } from "../support/background.ts";
import { localPath } from "../support/paths.ts";
import { createVault } from "../vaults/createVault.ts";
import { createVolume } from "./createVolume.ts";
import { deleteVolume } from "./deleteVolume.ts";
import { extendVolume } from "./extendVolume.ts";
import { listVolumeExtents } from "./listVolumeExtents.ts";
import { listVolumes } from "./listVolumes.ts";
import { readVolumeRange } from "./readVolumeRange.ts";
import { resetVolumeStatus } from "./resetVolumeStatus.ts";
import { showVolume } from "./showVolume.ts";
import { updateVolume } from "./updateVolume.ts";
import { writeVolumeRange } from "./writeVolumeRange.ts";
import { edges, makeVolume, makeWorld, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const gib = 1024 ** 3;
const refused = (promise: Promise<unknown>, code: ErrorCode, field?: string) =>
  assert.rejects(promise, (error: unknown) => {
    const { code: got, field: at } = error as { code?: string; field?: string };
    assert.equal(got, code, String(error));
    if (field !== undefined) assert.equal(at, field);
    return true;
  });

test("an empty volume is a hole of exactly its size", async () => {
  const caller = await world.newCaller();
  const volume = await createVolume(world.context, caller, { sizeGib: 3, name: "v", metadata: { k: "v" }, bootable: true });
  assert.deepEqual(await showVolume(world.context, caller, { volumeId: volume.id }), volume);
  assert.deepEqual([volume.status, volume.volumeType, volume.availabilityZone], ["available", "standard", "az1"]);
  const stats = statSync(localPath(world.context.settings, volume.id));
  assert.deepEqual([stats.size, stats.blocks], [3 * gib, 0]);
  assert.deepEqual(await listVolumeExtents(world.context, caller, { volumeId: volume.id }), { sizeBytes: 3 * gib, extents: [] });
  assert.equal((await listVolumes(world.context, caller, { filter: { name: "v" }, page: { limit: 10, offset: 0 } })).count, 1);
  await refused(showVolume(world.context, await world.newCaller(), { volumeId: volume.id }), "volumeNotFound");
});

test("a volume that cannot be is refused and leaves neither row nor file", async () => {
  const caller = await world.newCaller();
  const make = (input: object) => createVolume(world.context, caller, input);
  const cases: [object, ErrorCode, string?][] = [
    [{}, "invalidRequest", "size"],
    [{ sizeGib: 0 }, "invalidRequest", "size"],
    [{ sizeGib: -1 }, "invalidRequest", "size"],
    [{ sizeGib: 1.5 }, "invalidRequest", "size"],
    [{ sizeGib: 100_000 }, "invalidRequest", "size"],
    [{ sizeGib: 1, name: "x".repeat(256) }, "invalidRequest", "name"],
    [{ sizeGib: 1, availabilityZone: "no such/zone" }, "invalidRequest", "availability_zone"],
    [{ sizeGib: 1, metadata: { "": "x" } }, "invalidRequest", "metadata"],
    [{ sizeGib: 1, encryption: { cmkId: "x", volumeKey: "y" } }, "invalidRequest", "encryption.cmkId"],
    [{ sizeGib: 1, encryption: { cmkId: world.context.random.uuid(), volumeKey: "y" } }, "invalidRequest", "encryption.volumeKey"],
    [{ snapshotId: world.context.random.uuid() }, "snapshotNotFound"],
    [{ sourceVolumeId: world.context.random.uuid() }, "volumeNotFound"],
    [{ backupId: world.context.random.uuid() }, "backupNotFound"],
    [{ sizeGib: 1, snapshotId: "a", backupId: "b" }, "invalidRequest"],
  ];
  for (const [input, code, field] of cases) await refused(make(input), code, field);
  assert.equal((await listVolumes(world.context, caller, { filter: {}, page: { limit: 10, offset: 0 } })).count, 0);
});

test("ranges are written and read anywhere inside, and nowhere else", async () => {
  const caller = await world.newCaller();
  const volume = await createVolume(world.context, caller, { sizeGib: 1 });
  const write = (offset: number, bytes: Uint8Array) => writeVolumeRange(world.context, caller, { volumeId: volume.id, offset, bytes });
  const read = async (offset: number, length: number) =>
    Buffer.from((await readVolumeRange(world.context, caller, { volumeId: volume.id, offset, length })).bytes);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: gib - 10_000 }), fc.uint8Array({ maxLength: 10_000 }), async (offset, bytes) => {
      await write(offset, bytes);
      assert.deepEqual(await read(offset, bytes.length), Buffer.from(bytes));
    }),
    { numRuns: 20 },
  );
  await refused(write(gib - 1, new Uint8Array(2)), "invalidRequest", "offset");
  await refused(write(-1, new Uint8Array(2)), "invalidRequest", "offset");
  await refused(write(0.5, new Uint8Array(2)), "invalidRequest", "offset");
  assert.equal((await read(gib - 5, 100)).length, 5);
  assert.equal((await read(gib + 5, 100)).length, 0);
  await refused(read(0, -1), "invalidRequest", "length");
  await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await refused(write(0, new Uint8Array(2)), "volumeStatusForbids");
  await world.runAll();
});

test("volumes are made from snapshots, volumes and backups, and carry what they inherit", async () => {
  const caller = await world.newCaller();
  const encryption = { cmkId: world.context.random.uuid(), volumeKey: "k".repeat(64) };
  const volume = await createVolume(world.context, caller, {
    sizeGib: 1,
    name: "src",
    bootable: true,
    encryption,
    metadata: { m: "1" },
    volumeType: "fast",
  });
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 4096, bytes: noise(50_000, 1) });
  const snapshot = await createSnapshot(world.context, caller, { volumeId: volume.id });
  await backgroundIdle(world.context);
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, incremental: false });
  await world.runAll();
  const contents = await edges(world, volume.id);
  const made = [];
  for (const source of [{ snapshotId: snapshot.id }, { sourceVolumeId: volume.id, sizeGib: 2 }, { backupId: backup.id }]) {
    const copy = await createVolume(world.context, caller, source);
    assert.equal(copy.status, "creating");
    await world.runAll();
    made.push(await showVolume(world.context, caller, { volumeId: copy.id }));
  }
  assert.deepEqual(
    made.map((each) => [each.status, each.sizeGib, each.bootable, each.volumeType]),
    [
      ["available", 1, true, "fast"],
      ["available", 2, true, "fast"],
      ["available", 1, true, "fast"],
    ],
  );
  for (const each of made) assert.deepEqual(each.encryption, encryption);
  assert.deepEqual(
    [made[0]!.sourceSnapshotId, made[1]!.sourceVolumeId, made[2]!.sourceBackupId, made[2]!.metadata],
    [snapshot.id, volume.id, backup.id, { m: "1" }],
  );
  for (const each of [made[0]!, made[2]!]) assert.deepEqual(await edges(world, each.id), contents);
  assert.deepEqual((await edges(world, made[1]!.id)).subarray(0, 300_000), contents.subarray(0, 300_000));
  assert.ok(statSync(localPath(world.context.settings, made[1]!.id)).blocks * 512 < 1_000_000, "holes stay holes");
  const large = await createVolume(world.context, caller, { sizeGib: 2 });
  await refused(createVolume(world.context, caller, { sizeGib: 1, sourceVolumeId: large.id }), "invalidRequest", "size");
  const { backup: view } = await showBackup(world.context, caller, { backupId: backup.id });
  assert.deepEqual([view.encrypted, view.encryption, view.bootable, view.volumeType], [true, encryption, true, "fast"]);
});

test("what is being copied may not change", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const frozen = await edges(world, volume.id);
  const snapshot = await createSnapshot(world.context, caller, { volumeId: volume.id });
  assert.equal(snapshot.status, "creating");
  await refused(writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(8, 1) }), "volumeStatusForbids");
  await refused(deleteVolume(world.context, caller, { volumeId: volume.id, cascade: true }), "volumeStatusForbids");
  await refused(deleteSnapshot(world.context, caller, { snapshotId: snapshot.id }), "snapshotStatusWrong");
  await backgroundIdle(world.context);
  const done = await showSnapshot(world.context, caller, { snapshotId: snapshot.id });
  assert.deepEqual([done.status, done.sizeGib], ["available", 1]);
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(300_000, 9) });
  const copy = await createVolume(world.context, caller, { snapshotId: snapshot.id });
  await refused(deleteSnapshot(world.context, caller, { snapshotId: snapshot.id }), "snapshotStatusWrong");
  await backgroundIdle(world.context);
  assert.deepEqual(await edges(world, copy.id), frozen);
});

test("a volume with snapshots goes only with them; one in use or busy does not", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const snapshot = await createSnapshot(world.context, caller, { volumeId: volume.id, name: "s" });
  await backgroundIdle(world.context);
  assert.equal((await listSnapshots(world.context, caller, { filter: { volumeId: volume.id }, page: { limit: 5, offset: 0 } })).count, 1);
  await refused(deleteVolume(world.context, caller, { volumeId: volume.id }), "volumeStatusForbids");
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: volume.id, snapshotId: snapshot.id, incremental: false });
  await refused(deleteSnapshot(world.context, caller, { snapshotId: snapshot.id }), "snapshotStatusWrong");
  await refused(deleteVolume(world.context, caller, { volumeId: volume.id, cascade: true }), "volumeStatusForbids");
  await world.runAll();
  await deleteVolume(world.context, caller, { volumeId: volume.id, cascade: true });
  await refused(showVolume(world.context, caller, { volumeId: volume.id }), "volumeNotFound");
  await refused(showSnapshot(world.context, caller, { snapshotId: snapshot.id }), "snapshotNotFound");
  for (const id of [volume.id, snapshot.id]) assert.equal(existsSync(localPath(world.context.settings, id)), false);
  const view = await showBackup(world.context, caller, { backupId: backup.id });
  assert.deepEqual([view.backup.status, view.resourceExists], ["available", false]);
  const used = await createVolume(world.context, caller, { sizeGib: 1 });
  await addServer(world.context, caller, { name: "s", disks: [{ volumeId: used.id, systemDisk: false }] });
  await refused(deleteVolume(world.context, caller, { volumeId: used.id }), "volumeStatusForbids");
  await refused(createSnapshot(world.context, caller, { volumeId: used.id }), "volumeStatusForbids");
  await createSnapshot(world.context, caller, { volumeId: used.id, force: true });
  await backgroundIdle(world.context);
});

test("a volume grows, is renamed, and its status is reset by an administrator only", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const server = await addServer(world.context, caller, { name: "s", disks: [{ volumeId: volume.id, systemDisk: true }] });
  await refused(extendVolume(world.context, caller, { volumeId: volume.id, newSizeGib: 1 }), "invalidRequest", "new_size");
  const grown = await extendVolume(world.context, caller, { volumeId: volume.id, newSizeGib: 4 });
  assert.deepEqual([grown.sizeGib, statSync(localPath(world.context.settings, volume.id)).size], [4, 4 * gib]);
  assert.equal((await showResource(world.context, caller, { resourceId: server.id })).sizeGib, 4);
  const renamed = await updateVolume(world.context, caller, {
    volumeId: volume.id,
    name: "n",
    description: "d",
    bootable: true,
    metadata: { a: "b" },
  });
  assert.deepEqual([renamed.name, renamed.description, renamed.bootable, renamed.metadata], ["n", "d", true, { a: "b" }]);
  await refused(updateVolume(world.context, caller, { volumeId: volume.id, name: "a\u0000b" }), "invalidRequest", "name");
  await refused(resetVolumeStatus(world.context, caller, { volumeId: volume.id, status: "error" }), "forbidden");
  const admin = { ...caller, roles: ["admin" as const] };
  await refused(resetVolumeStatus(world.context, admin, { volumeId: volume.id, status: "nonsense" }), "invalidRequest", "status");
  assert.equal((await resetVolumeStatus(world.context, admin, { volumeId: volume.id, status: "error" })).status, "error");
});

test("a file is registered only from below a permitted root, by whatever way it is named", async () => {
  const caller = await world.newCaller();
  const add = (path: string) => addFileVolume(world.context, caller, { name: "f", path });
  const inside = writeSource(world, "inside.raw", noise(10, 1));
  const outside = join(dirname(world.sources), "outside.raw");
  symlinkSync("/etc/hostname", join(world.sources, "link.raw"));
  mkdirSync(join(world.sources, "folder"));
  await refused(add("relative.raw"), "invalidRequest", "path");
  await refused(add(outside), "sourceNotPermitted", "path");
  await refused(add("/etc/hostname"), "sourceNotPermitted", "path");
  await refused(add(join(world.sources, "..", "outside.raw")), "sourceNotPermitted", "path");
  await refused(add(join(world.sources, "link.raw")), "sourceNotPermitted", "path");
  await refused(add(world.sources), "sourceNotPermitted", "path");
  await refused(add(join(world.sources, "missing.raw")), "sourceUnavailable", "path");
  await refused(add(join(world.sources, "folder")), "sourceUnavailable", "path");
  if (process.getuid?.() !== 0) {
    chmodSync(inside, 0);
    await refused(add(inside), "sourceUnavailable", "path");
    chmodSync(inside, 0o600);
  }
  const volume = await add(inside);
  assert.deepEqual([volume.sizeGib, volume.status], [1, "available"]);
  await refused(extendVolume(world.context, caller, { volumeId: volume.id, newSizeGib: 2 }), "invalidRequest");
  await refused(writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(4, 1) }), "invalidRequest");
  assert.equal((await readVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, length: 100 })).sizeBytes, 10);
  await removeResource(world.context, caller, { resourceId: volume.id });
  await refused(showResource(world.context, caller, { resourceId: volume.id }), "resourceNotFound");
  assert.equal(existsSync(inside), true);
});

test("a server is a set of its own disks, one of them at most to boot from", async () => {
  const caller = await world.newCaller();
  const [a, b] = [await createVolume(world.context, caller, { sizeGib: 1 }), await createVolume(world.context, caller, { sizeGib: 2 })];
  const add = (disks: { volumeId: string; systemDisk: boolean }[]) => addServer(world.context, caller, { name: "s", disks });
  await refused(add([a, b].map((each) => ({ volumeId: each.id, systemDisk: true }))), "invalidRequest", "disks");
  await refused(add([a, a].map((each) => ({ volumeId: each.id, systemDisk: false }))), "invalidRequest", "disks");
  await refused(add([{ volumeId: world.context.random.uuid(), systemDisk: false }]), "volumeNotFound");
  await refused(addServer(world.context, caller, { name: "s", disks: [], architecture: "no such" }), "invalidRequest", "architecture");
  const server = await add([{ volumeId: a.id, systemDisk: true }]);
  assert.deepEqual([server.sizeGib, (await showVolume(world.context, caller, { volumeId: a.id })).status], [1, "in-use"]);
  await refused(add([{ volumeId: a.id, systemDisk: false }]), "conflict");
  const changed = await updateResource(world.context, caller, { resourceId: server.id, name: "t", disks: [{ volumeId: b.id, systemDisk: false }] });
  assert.deepEqual([changed.name, changed.sizeGib, (await showVolume(world.context, caller, { volumeId: a.id })).status], ["t", 2, "available"]);
  await refused(updateResource(world.context, caller, { resourceId: a.id, disks: [] }), "invalidRequest", "disks");
  assert.equal((await listResources(world.context, caller, { filter: { type: "OS::Nova::Server" }, page: { limit: 5, offset: 0 } })).count, 1);
  const { vault } = await createVault(world.context, caller, {
    name: "v",
    sizeGib: 10,
    objectType: "server",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [{ id: server.id, type: "OS::Nova::Server" }],
  });
  await refused(removeResource(world.context, caller, { resourceId: server.id }), "conflict");
  await refused(removeResource(world.context, caller, { resourceId: b.id }), "invalidRequest");
  await world.catalog.vaults.unbind(vault.id, server.id);
  await removeResource(world.context, caller, { resourceId: server.id });
  assert.equal((await showVolume(world.context, caller, { volumeId: b.id })).status, "available");
});
