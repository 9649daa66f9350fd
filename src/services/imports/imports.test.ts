import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openCatalog } from "#catalog/open.ts";
import type { Caller } from "#model/caller.ts";
import type { Task } from "#model/task.ts";
import { systemRandom } from "#platform/random.ts";
import { listBackups } from "../backups/listBackups.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { rebuildCatalog } from "../rebuild/rebuildCatalog.ts";
import { addServer } from "../resources/addServer.ts";
import { showTask } from "../tasks/showTask.ts";
import { createVault } from "../vaults/createVault.ts";
import { writeVolumeRange } from "../volumes/writeVolumeRange.ts";
import { makeVolume, makeWorld, noise, type World } from "../../../test/support/world.ts";
import { importBackup, type ImportItem } from "./importBackup.ts";
import { importCheckpoint } from "./importCheckpoint.ts";

const foreignKey = new Uint8Array(32).fill(9);
const page = { limit: 100, offset: 0 };
let folder: string;
let old: World;
let world: World;
/** The project of the old installation, its vault for disks, and what it backed up. */
let owner: Caller;
let diskVaultId: string;
let views: Awaited<ReturnType<typeof topLevel>>;

const kinds = { protectType: "backup", consistentLevel: "crash_consistent", sizeGib: 100 } as const;
const topLevel = async (of: World, caller: Caller) => (await listBackups(of.context, caller, { filter: { parentId: null }, page })).items;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-imports-"));
  old = await makeWorld({ masterKey: foreignKey });
  world = await makeWorld();
  world.context.settings.importPath = folder;
  owner = await old.newCaller();
  const [disk, root, data] = [await makeVolume(old, owner, "disk"), await makeVolume(old, owner, "root", 3), await makeVolume(old, owner, "data", 5)];
  const disks = await createVault(old.context, owner, { ...kinds, name: "disks", objectType: "disk", resources: [{ id: disk.id, type: disk.type }] });
  diskVaultId = disks.vault.id;
  await createCheckpoint(old.context, owner, { vaultId: diskVaultId, name: "first", description: "kept" });
  await old.runAll();
  await writeVolumeRange(old.context, owner, { volumeId: disk.id, offset: 500_000_000, bytes: noise(100_000, 11) });
  await createCheckpoint(old.context, owner, { vaultId: diskVaultId, name: "second" });
  await old.runAll();
  const parts = [root, data].map(({ id }, index) => ({ volumeId: id, systemDisk: index === 0 }));
  const server = await addServer(old.context, owner, { name: "web", disks: parts });
  const resources = [{ id: server.id, type: server.type }];
  const servers = await createVault(old.context, owner, { ...kinds, name: "servers", objectType: "server", resources });
  await createCheckpoint(old.context, owner, { vaultId: servers.vault.id, name: "whole" });
  await old.runAll();
  views = await topLevel(old, owner);
  assert.equal(views.length, 3);
});
after(async () => {
  await old.close();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Lays the old store out for a project of the new installation. */
function layOut(projectId: string, name = "old", key = foreignKey): string {
  const path = join(folder, projectId, name);
  mkdirSync(path, { recursive: true });
  cpSync(old.storePath, join(path, "store"), { recursive: true });
  writeFileSync(join(path, "master.key"), `opencbr-master-key-v1\n${Buffer.from(key).toString("hex")}\n`, { mode: 0o600 });
  return path;
}

const named = (name: string) => views.find(({ backup }) => backup.name === name)!;

function itemOf(name: string, over: Partial<ImportItem> = {}): ImportItem {
  const { backup } = named(name);
  const { id: backupId, resourceId, resourceName, resourceType } = backup;
  return { backupId, backupName: `again-${name}`, store: "old", tenant: owner.projectId, resourceId, resourceName, resourceType, ...over };
}

async function imported(caller: Caller, item: ImportItem, into = world): Promise<Task> {
  const [queued] = await importBackup(into.context, caller, [item]);
  await into.runAll();
  return showTask(into.context, caller, { taskId: queued!.taskId });
}

/** The places where {@link makeVolume} and the story have written, and a hole. */
async function pieces(of: World, tenant: string, backupId: string): Promise<Buffer> {
  const read = (offset: number) => of.engine.readRange({ tenant, backupId, offset, length: 300_000 });
  return Buffer.concat([await read(0), await read(200_000_000), await read(499_900_000), await read(1024 ** 3 - 300_000)]);
}

const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

test("a backup of another store becomes visible under its id, bit for bit, and the other store stays as it was", async () => {
  const caller = await world.newCaller();
  const path = layOut(caller.projectId);
  const before = readdirSync(path, { recursive: true, encoding: "utf8" }).toSorted();
  const task = await imported(caller, itemOf("second"));
  assert.deepEqual([task.status, task.result["synced"], task.result["failed"]], ["success", 1, 0], task.errorMessage);
  const [view] = await topLevel(world, caller);
  const { backup } = view!;
  const source = named("second").backup;
  assert.deepEqual([backup.id, backup.name, backup.status, backup.projectId], [source.id, "again-second", "available", caller.projectId]);
  assert.deepEqual([backup.createdAt, backup.protectedAt, backup.resourceId], [source.createdAt, source.protectedAt, source.resourceId]);
  assert.equal(backup.statistics?.dataBytes, source.statistics?.dataBytes);
  assert.ok((await world.catalog.vaults.get(caller.projectId, backup.vaultId))?.implicit);
  assert.deepEqual(await pieces(world, caller.projectId, backup.id), await pieces(old, owner.projectId, source.id));
  assert.deepEqual(readdirSync(path, { recursive: true, encoding: "utf8" }).toSorted(), before);
  // The older one shares nearly everything with it.
  const second = await imported(caller, itemOf("first"));
  assert.equal(second.status, "success", second.errorMessage);
  const older = (await world.catalog.backups.get(caller.projectId, named("first").backup.id))!;
  assert.equal(older.statistics?.newBytes, 0);
  await assert.rejects(importBackup(world.context, caller, [itemOf("first")]), code("conflict"));
});

test("a server backup comes with all its disks, and a rebuild from the store alone knows it", async () => {
  const caller = await world.newCaller();
  layOut(caller.projectId);
  const { backup: parent, children } = named("whole");
  const inside = await imported(caller, itemOf("whole", { backupId: children[0]!.id }));
  assert.deepEqual([inside.status, (await topLevel(world, caller)).length], ["failed", 0]);
  assert.match(inside.errorMessage, new RegExp(parent.id));
  const task = await imported(caller, itemOf("whole"));
  assert.equal(task.status, "success", task.errorMessage);
  const [view] = await topLevel(world, caller);
  assert.deepEqual([view!.backup.id, view!.backup.status, view!.backup.resourceName], [parent.id, "available", "web"]);
  assert.deepEqual(
    view!.children.map((child) => [child.id, child.status]),
    children.map((child) => [child.id, "available"]),
  );
  for (const child of children) assert.deepEqual(await pieces(world, caller.projectId, child.id), await pieces(old, owner.projectId, child.id));
  const catalog = await openCatalog({ path: ":memory:" });
  await rebuildCatalog({ catalog, engine: world.engine, random: systemRandom, volumesPath: world.context.settings.volumesPath });
  const again = (await catalog.backups.list(caller.projectId, { parentId: null }, page)).items[0]!;
  assert.deepEqual([again.backup.id, again.backup.name, again.backup.status], [parent.id, "again-whole", "available"]);
  assert.deepEqual(again.backup.statistics, view!.backup.statistics);
  await catalog.close();
});

test("what cannot be imported leaves nothing behind and says why", async () => {
  const { context } = world;
  const caller = await world.newCaller();
  const path = layOut(caller.projectId);
  await assert.rejects(importBackup(context, caller, [itemOf("first", { store: "nowhere" })]), code("invalidRequest"));
  await assert.rejects(importBackup(context, caller, [itemOf("first", { store: "../old" })]), code("invalidRequest"));
  await assert.rejects(importBackup(context, await world.newCaller(), [itemOf("first")]), code("invalidRequest"));
  await assert.rejects(importBackup(context, caller, [itemOf("first"), itemOf("first")]), code("invalidRequest"));
  const wrong = await imported(caller, itemOf("first", { resourceId: "another" }));
  assert.match(wrong.errorMessage, /resource_id/);
  const missing = await imported(caller, itemOf("first", { backupId: "11111111-1111-4111-8111-111111111111" }));
  assert.deepEqual([missing.status, missing.errorCode, missing.result["failed"]], ["failed", "BackupService.6200", 1]);
  // A flipped bit in each pack: some piece of the image fails its verification.
  const objects = join(path, "store", "objects");
  const packs = readdirSync(objects, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/packs/"));
  for (const name of packs) {
    const pack = join(objects, name);
    if (!statSync(pack).isFile()) continue;
    const bytes = readFileSync(pack);
    for (let at = 2000; at < bytes.length - 3000; at += 3000) bytes[at]! ^= 1;
    writeFileSync(pack, bytes);
  }
  const fresh = await makeWorld();
  fresh.context.settings.importPath = folder;
  const reader = await fresh.newCaller();
  renameSync(path, join(folder, "moved"));
  mkdirSync(join(folder, reader.projectId), { recursive: true });
  renameSync(join(folder, "moved"), join(folder, reader.projectId, "old"));
  const damaged = await imported(reader, itemOf("first"), fresh);
  assert.deepEqual([damaged.status, damaged.result["synced"]], ["failed", 0]);
  assert.match(damaged.errorMessage, /damaged|verification/);
  assert.deepEqual([await topLevel(fresh, reader), await fresh.engine.listRoots(reader.projectId)], [[], []]);
  await fresh.close();
});

test("an id that another project has is not taken from it", async () => {
  const caller = await world.newCaller();
  layOut(caller.projectId);
  const task = await imported(caller, itemOf("second"));
  assert.deepEqual([task.status, task.errorCode, (await topLevel(world, caller)).length], ["failed", "BackupService.0002", 0]);
});

test("a sync of a vault finds what the catalog does not know, in the own store and in the import stores", async () => {
  const third = await makeWorld();
  third.context.settings.importPath = folder;
  const { context, catalog } = third;
  const caller = await third.newCaller();
  // Of its own.
  const disk = await makeVolume(third, caller, "own");
  const resources = [{ id: disk.id, type: disk.type }];
  const { vault } = await createVault(context, caller, { ...kinds, name: "v", objectType: "disk", resources });
  for (const name of ["one", "two"]) {
    await createCheckpoint(context, caller, { vaultId: vault.id, name });
    await third.runAll();
  }
  const before = await topLevel(third, caller);
  const lost = before.find(({ backup }) => backup.name === "one")!;
  await catalog.backups.remove(lost.backup.id);
  const sync = async (vaultId: string): Promise<Task> => {
    const taskId = await importCheckpoint(context, caller, { vaultId });
    await assert.rejects(importCheckpoint(context, caller, { vaultId }), code("syncRunning"));
    await third.runAll();
    return showTask(context, caller, { taskId });
  };
  const first = await sync(vault.id);
  assert.deepEqual([first.status, first.result["synced"], first.result["failed"]], ["success", 1, 0], first.errorMessage);
  assert.deepEqual(await topLevel(third, caller), before);
  assert.equal((await sync(vault.id)).result["synced"], 0);
  // Of another installation, into the vault that it knows by the same id; a store with another key is told, and does not stop it.
  layOut(caller.projectId);
  layOut(caller.projectId, "unreadable", new Uint8Array(32).fill(1));
  await catalog.vaults.insert({ ...vault, id: diskVaultId, name: "disks" });
  const task = await sync(diskVaultId);
  assert.deepEqual([task.status, task.result["synced"], task.result["failed"]], ["success", 2, 1], JSON.stringify(task.result));
  assert.match(String(task.result["reasons"]), /store unreadable/);
  const { items } = await listBackups(context, caller, { filter: { vaultId: diskVaultId, parentId: null }, page });
  assert.deepEqual(new Set(items.map(({ backup }) => backup.name)), new Set(["first", "second"]));
  await third.close();
});

test("a vault that cannot take backups is not synchronised", async () => {
  const { context } = world;
  const caller = await world.newCaller();
  const { vault } = await createVault(context, caller, { ...kinds, protectType: "replication", name: "r", objectType: "disk", resources: [] });
  await assert.rejects(importCheckpoint(context, caller, { vaultId: vault.id }), code("vaultCannotSync"));
  await assert.rejects(importCheckpoint(context, await world.newCaller(), { vaultId: vault.id }), code("vaultNotFound"));
});
