import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openCatalog } from "#catalog/open.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { vaultAfterMoves } from "#model/vault.ts";
import { systemRandom } from "#platform/random.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { listBackups } from "../backups/listBackups.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { showCheckpoint } from "../checkpoints/showCheckpoint.ts";
import { undeleteBackup } from "../collect/undeleteBackup.ts";
import { createStateKeeper } from "../rebuild/keepStates.ts";
import { rebuildCatalog } from "../rebuild/rebuildCatalog.ts";
import { addServer } from "../resources/addServer.ts";
import { deleteVault } from "./deleteVault.ts";
import { migrateVaultResources } from "./migrateVaultResources.ts";
import { removeVaultResources } from "./removeVaultResources.ts";
import { setVaultResources } from "./setVaultResources.ts";
import { showVault } from "./showVault.ts";
import { all, disk, emptyVolume, newVault, refused } from "../../../test/support/vaults.ts";
import { makeVolume, makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const migrate = (caller: Caller, vaultId: string, destinationVaultId: string, ...resourceIds: string[]) =>
  migrateVaultResources(world.context, caller, { vaultId, destinationVaultId, resourceIds });

async function backUp(caller: Caller, vaultId: string): Promise<string> {
  const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId });
  await world.runAll();
  return checkpoint.id;
}

/** What each backup and restore point says of its vault. */
async function places(caller: Caller, catalog: Catalog): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { backup } of (await catalog.backups.list(caller.projectId, {}, all)).items) {
    found[`backup ${backup.id}`] = backup.vaultId;
    found[`checkpoint ${backup.checkpointId}`] = (await catalog.checkpoints.get(caller.projectId, backup.checkpointId))!.vaultId;
  }
  for (const vault of (await catalog.vaults.list(caller.projectId, {}, all)).items)
    found[`vault ${vault.id}`] = (await catalog.vaults.resourcesOf(vault.id)).map((each) => `${each.resourceId} ${each.suspended}`).join();
  return found;
}

async function rebuilt(caller: Caller): Promise<Record<string, string>> {
  await createStateKeeper(world.context).keep();
  const catalog = await openCatalog({ path: ":memory:" });
  const { volumesPath } = world.context.settings;
  const report = await rebuildCatalog({ catalog, engine: world.engine, random: systemRandom, volumesPath });
  assert.deepEqual(report.unreadable, []);
  const found = await places(caller, catalog);
  await catalog.close();
  return found;
}

test("a resource takes its backups along, and what is made of the store says the same", async () => {
  const caller = await world.newCaller();
  const [a, b] = [await makeVolume(world, caller, "a"), await makeVolume(world, caller, "b", 5)];
  const from = await newVault(world, caller, { name: "from", resources: [disk(a), disk(b)] });
  const to = await newVault(world, caller, { name: "to" });
  const [fromId, toId] = [from.vault.id, to.vault.id];
  const both = await backUp(caller, fromId);
  await setVaultResources(world.context, caller, { vaultId: fromId, resourceIds: [a.id], suspended: true });
  const usedBefore = (await showVault(world.context, caller, { vaultId: fromId })).usage.usedBytes;
  assert.deepEqual(await migrate(caller, fromId, toId, a.id, a.id), [a.id]);
  const [left, taken] = [await showVault(world.context, caller, { vaultId: fromId }), await showVault(world.context, caller, { vaultId: toId })];
  assert.equal(left.usage.usedBytes + taken.usage.usedBytes, usedBefore);
  assert.deepEqual([left.resources.map(({ id }) => id), taken.resources.map(({ id }) => id)], [[b.id], [a.id]]);
  assert.deepEqual([taken.resources[0]!.backupCount, taken.resources[0]!.suspended], [1, true]);
  assert.equal(taken.resources[0]!.backupSizeBytes, taken.usage.usedBytes);
  const point = await showCheckpoint(world.context, caller, { checkpointId: both });
  assert.deepEqual(
    point.resources.map((each) => [each.id, each.backupCount]),
    [
      [a.id, 1],
      [b.id, 1],
    ],
    "a restore point whose backups are in two vaults shows both",
  );
  const next = await backUp(caller, toId);
  const { items } = await listBackups(world.context, caller, { filter: { checkpointId: next }, page: all });
  assert.equal(items[0]!.backup.incremental, true, "the next backup builds on what came along");
  assert.deepEqual(await rebuilt(caller), await places(caller, world.catalog));

  // Back, and on to a third one; then the first vault goes.
  await migrate(caller, toId, fromId, a.id);
  const third = await newVault(world, caller, { name: "third" });
  await migrate(caller, fromId, third.vault.id, a.id, b.id);
  assert.deepEqual(await rebuilt(caller), await places(caller, world.catalog));
  await deleteVault(world.context, caller, { vaultId: fromId });
  await world.runAll();
  await refused(showVault(world.context, caller, { vaultId: fromId }), "vaultNotFound");
  assert.equal((await listBackups(world.context, caller, { filter: {}, page: all })).count, 3);
  const today = await places(caller, world.catalog);
  assert.deepEqual(await rebuilt(caller), today);

  // What was deleted comes back into the vault where it was last.
  const { backup } = (await listBackups(world.context, caller, { filter: { checkpointId: both, resourceId: b.id }, page: all })).items[0]!;
  await deleteBackup(world.context, caller, { backupId: backup.id });
  await world.runAll();
  await undeleteBackup(world.context, caller, { backupId: backup.id });
  assert.deepEqual(await places(caller, world.catalog), today);
});

test("a server's backups go with the disks inside them", async () => {
  const caller = await world.newCaller();
  const volumes = [await makeVolume(world, caller, "a"), await makeVolume(world, caller, "b", 5)];
  const disks = volumes.map(({ id }) => ({ volumeId: id, systemDisk: false }));
  const server = await addServer(world.context, caller, { name: "s", disks });
  const resources = [{ id: server.id, type: server.type, excludeVolumes: [volumes[1]!.id] }];
  const from = await newVault(world, caller, { objectType: "server", resources });
  const to = await newVault(world, caller, { objectType: "server" });
  const point = await backUp(caller, from.vault.id);
  await migrate(caller, from.vault.id, to.vault.id, server.id);
  const { items } = await listBackups(world.context, caller, { filter: { vaultId: to.vault.id }, page: all });
  assert.deepEqual([items.length, items.filter(({ backup }) => backup.parentId !== null).length], [2, 1]);
  assert.deepEqual((await showVault(world.context, caller, { vaultId: to.vault.id })).resources[0]!.excludeVolumes, [volumes[1]!.id]);
  assert.equal((await showCheckpoint(world.context, caller, { checkpointId: point })).vault.id, to.vault.id);
  assert.deepEqual(await rebuilt(caller), await places(caller, world.catalog));
});

test("what may not be is refused, and everything stays where it was", async () => {
  const caller = await world.newCaller();
  const [a, b, big] = [await makeVolume(world, caller, "a"), await emptyVolume(world, caller, "b"), await emptyVolume(world, caller, "big", 8)];
  const from = (await newVault(world, caller, { resources: [disk(a), disk(b), disk(big)] })).vault;
  const to = (await newVault(world, caller, { sizeGib: 5 })).vault;
  await backUp(caller, from.id);
  const before = await places(caller, world.catalog);
  const stranger = await world.newCaller();
  const foreign = (await newVault(world, stranger)).vault;
  const servers = (await newVault(world, caller, { objectType: "server" })).vault;
  const replicas = (await newVault(world, caller, { protectType: "replication" })).vault;
  const unknown = world.context.random.uuid();
  await refused(migrate(caller, from.id, foreign.id, a.id), "vaultNotFound", "6105");
  await refused(migrate(stranger, from.id, foreign.id, a.id), "vaultNotFound", "6105");
  await refused(migrate(caller, from.id, from.id, a.id), "invalidRequest", "9900");
  await refused(migrate(caller, from.id, to.id), "invalidRequest", "9900");
  await refused(migrate(caller, from.id, servers.id, a.id), "vaultTypeMismatch", "6102");
  await refused(migrate(caller, from.id, replicas.id, a.id), "vaultTakesNoResources", "6108");
  await refused(migrate(caller, from.id, to.id, a.id, unknown), "resourceNotInVault", "6135");
  await refused(migrate(caller, from.id, to.id, a.id, big.id), "vaultFull", "6114");
  const { vaults, backups } = world.catalog;
  for (const [vault, patch, code, cbr] of [
    [from, { locked: true }, "vaultStatusForbids", "6112"],
    [from, { status: "error" }, "vaultStatusForbids", "6112"],
    [to, { status: "frozen" }, "vaultStatusForbids", "6112"],
  ] as const) {
    await vaults.update(vault.id, patch);
    await refused(migrate(caller, from.id, to.id, a.id), code, cbr);
    await vaults.update(vault.id, { locked: false, status: "available" });
  }
  const { backup } = (await listBackups(world.context, caller, { filter: { resourceId: a.id }, page: all })).items[0]!;
  const { statistics } = backup;
  await backups.update(backup.id, { statistics: { ...statistics!, storedBytes: 6 * 1024 ** 3 } });
  await refused(migrate(caller, from.id, to.id, a.id), "vaultFull", "6114");
  await backups.update(backup.id, { statistics });
  const { [`vault ${foreign.id}`]: _, ...now } = await places(caller, world.catalog);
  for (const [what, place] of Object.entries(before)) assert.equal(now[what], place);
  await createCheckpoint(world.context, caller, { vaultId: from.id });
  await refused(migrate(caller, from.id, to.id, a.id), "vaultBusy", "6125");
  await world.runAll();
  await removeVaultResources(world.context, caller, { vaultId: from.id, resourceIds: [b.id] });
  await refused(migrate(caller, from.id, to.id, a.id), "vaultBusy", "6125");
  await world.runAll();
  assert.deepEqual(await migrate(caller, from.id, to.id, a.id), [a.id]);
});

test("a state from before there were moves, tags and suspended resources is read", async () => {
  const caller = await world.newCaller();
  const volume = await makeVolume(world, caller);
  const { vault } = await newVault(world, caller, { resources: [disk(volume)] });
  await backUp(caller, vault.id);
  await createStateKeeper(world.context).keep();
  const found = (await world.engine.readState(caller.projectId))!;
  const { moves: _, ...state } = found.document as { moves: unknown; bindings: object[]; resources: object[] };
  const without = (nouns: object[], key: string): object[] =>
    nouns.map((noun) => Object.fromEntries(Object.entries(noun).filter(([name]) => name !== key)));
  const document = { ...state, bindings: without(state.bindings, "suspended"), resources: without(state.resources, "tags") };
  const engine = {
    listTenants: () => Promise.resolve([caller.projectId]),
    listRoots: (tenant: string) => world.engine.listRoots(tenant),
    readRoot: (tenant: string, id: string) => world.engine.readRoot(tenant, id),
    readState: () => Promise.resolve({ ...found, document }),
  };
  const catalog = await openCatalog({ path: ":memory:" });
  const { volumesPath } = world.context.settings;
  const report = await rebuildCatalog({ catalog, engine, random: systemRandom, volumesPath });
  assert.deepEqual(report, { projects: 1, backups: 1, unreadable: [] });
  assert.deepEqual(await places(caller, catalog), await places(caller, world.catalog));
  assert.deepEqual(await catalog.resources.get(caller.projectId, volume.id), await world.catalog.resources.get(caller.projectId, volume.id));
  await catalog.close();
});

test("only backups that were there when a resource moved have moved", () => {
  const move = (from: string, to: string, movedAt: number, resourceId = "r") => ({
    projectId: "p",
    resourceId,
    fromVaultId: from,
    toVaultId: to,
    movedAt,
  });
  const moves = [move("a", "b", 10), move("a", "z", 11, "other"), move("b", "a", 20), move("a", "c", 30)];
  const after = (vaultId: string, createdAt: number) => vaultAfterMoves(moves, { resourceId: "r", vaultId, createdAt });
  assert.deepEqual([after("a", 5), after("b", 15), after("a", 25), after("a", 35), after("x", 5)], ["c", "c", "c", "a", "x"]);
});
