import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backup } from "#model/backup.ts";
import type { Clock } from "#platform/clock.ts";
import { CatalogError } from "./errors.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { openCatalog } from "./open.ts";
import {
  sampleBackup,
  sampleCheckpoint,
  sampleProject,
  sampleReplication,
  sampleServer,
  sampleSnapshot,
  sampleVault,
  sampleVolume,
} from "./samples.ts";
import type { AccessKey, User } from "./tables.ts";

const other = "11111111111111111111111111111111";
const page = { limit: 100, offset: 0 };
const constraint = (error: unknown): boolean => error instanceof CatalogError && error.code === "constraint";

onEachDatabase("meta keeps the last value of a key", async ({ meta }) => {
  assert.equal(await meta.get("node"), undefined);
  await meta.set("node", "a");
  await meta.set("node", "b");
  assert.equal(await meta.get("node"), "b");
});

onEachDatabase("identity finds what was put in, and nothing else", async ({ identity }) => {
  const domain = { id: "default", name: "Default" };
  const project = { id: sampleProject, domainId: "default", name: "demo", description: "", enabled: true };
  const second = { id: other, domainId: "default", name: "another", description: "x", enabled: false };
  const user: User = { id: "u", domainId: "default", name: "demo", passwordHash: "h", enabled: true, defaultProjectId: sampleProject };
  await identity.insertDomain(domain);
  await identity.insertProject(project);
  await identity.insertProject(second);
  await identity.insertUser(user);
  assert.deepEqual(await identity.getDomain("default"), domain);
  assert.deepEqual(await identity.findDomain("Default"), domain);
  assert.equal(await identity.findDomain("default"), undefined);
  assert.deepEqual(await identity.getProject(other), second);
  assert.deepEqual(await identity.listProjects({}), [second, project]);
  assert.deepEqual(await identity.listProjects({ name: "demo", domainId: "default" }), [project]);
  assert.deepEqual(await identity.listProjects({ userId: "u" }), []);
  await identity.grantRole("u", sampleProject, "member");
  await identity.grantRole("u", sampleProject, "member");
  await identity.grantRole("u", sampleProject, "admin");
  assert.deepEqual(await identity.listProjects({ userId: "u" }), [project]);
  assert.deepEqual(await identity.listRoles("u", sampleProject), ["admin", "member"]);
  assert.deepEqual(await identity.listRoles("u", other), []);
  assert.deepEqual(await identity.getUser("u"), user);
  await identity.setPasswordHash("u", "new");
  assert.deepEqual(await identity.findUser("default", "demo"), { ...user, passwordHash: "new" });
  assert.equal(await identity.findUser("other", "demo"), undefined);
  const key: AccessKey = {
    id: "AK",
    userId: "u",
    projectId: sampleProject,
    sealedSecret: Uint8Array.of(0, 255, 7),
    enabled: true,
    expiresAt: 5,
    securityTokenHash: null,
  };
  await identity.insertAccessKey(key);
  assert.deepEqual(await identity.getAccessKey("AK"), key);
  assert.equal(await identity.getAccessKey("ak"), undefined);
  await assert.rejects(identity.insertProject({ ...project, id: "2".repeat(32) }), constraint);
  await assert.rejects(identity.insertUser({ ...user, id: "v", name: "v", domainId: "nowhere" }), constraint);
});

test("a revoked token is listed until it expires, and its row goes with a later revocation", async () => {
  let now = 10;
  const clock: Clock = { nowUs: () => now, sleep: () => Promise.resolve() };
  const catalog = await openCatalog({ path: ":memory:", clock });
  await catalog.identity.revokeToken("a", 100);
  await catalog.identity.revokeToken("a", 100);
  await catalog.identity.revokeToken("b", 200);
  assert.deepEqual(await catalog.identity.listRevokedTokens(99), ["a", "b"]);
  assert.deepEqual(await catalog.identity.listRevokedTokens(100), ["b"]);
  now = 150;
  await catalog.identity.revokeToken("c", 300);
  assert.deepEqual(await catalog.identity.listRevokedTokens(0), ["b", "c"]);
  await catalog.close();
});

onEachDatabase("volumes and servers come back as they were, within their project", async ({ resources }) => {
  const volume = sampleVolume({ createdAt: 3 });
  const plain = sampleVolume({ encryption: null, bootable: true, description: "", createdAt: 2 });
  const server = sampleServer({
    createdAt: 1,
    disks: [
      { volumeId: plain.id, systemDisk: true },
      { volumeId: volume.id, systemDisk: false },
    ],
  });
  for (const resource of [server, plain, volume]) await resources.insert(resource);
  assert.deepEqual(await resources.get(sampleProject, volume.id), volume);
  assert.deepEqual(await resources.getVolume(sampleProject, plain.id), plain);
  assert.deepEqual(await resources.getServer(sampleProject, server.id), server);
  assert.equal(await resources.getServer(sampleProject, volume.id), undefined);
  assert.equal(await resources.getVolume(sampleProject, server.id), undefined);
  assert.equal(await resources.get(other, volume.id), undefined);
  assert.deepEqual(await resources.list(sampleProject, {}, page), { items: [volume, plain, server], count: 3 });
  assert.deepEqual(await resources.list(sampleProject, { type: "OS::Nova::Server" }, page), { items: [server], count: 1 });
  assert.deepEqual((await resources.list(sampleProject, {}, page, { key: "size", direction: "desc" })).items[0], server);
  assert.equal((await resources.list(other, {}, page)).count, 0);
  assert.equal((await resources.list(other, { allProjects: true }, page)).count, 3);
  assert.deepEqual(await resources.serversOf(volume.id), [server]);
  assert.deepEqual(await resources.serversOf(server.id), []);

  await resources.update(server.id, { name: "renamed", disks: [{ volumeId: volume.id, systemDisk: true }] });
  assert.deepEqual(await resources.get(sampleProject, server.id), { ...server, name: "renamed", disks: [{ volumeId: volume.id, systemDisk: true }] });
  assert.deepEqual(await resources.serversOf(plain.id), []);
  await resources.update(volume.id, { encryption: null, metadata: {}, sizeGib: 11 });
  assert.deepEqual(await resources.get(sampleProject, volume.id), { ...volume, encryption: null, metadata: {}, sizeGib: 11 });

  assert.equal(await resources.transition(volume.id, ["in-use"], "backing-up", 9), false);
  assert.equal(await resources.transition(volume.id, ["in-use", "available"], "backing-up", 9), true);
  const moved = await resources.getVolume(sampleProject, volume.id);
  assert.deepEqual([moved?.status, moved?.updatedAt], ["backing-up", 9]);
  await resources.remove(server.id);
  assert.equal(await resources.get(sampleProject, server.id), undefined);
  assert.deepEqual(await resources.serversOf(volume.id), []);
});

onEachDatabase("a resource list filters by name, part of a name, status and zone", async ({ resources }) => {
  const named = (name: string, over = {}) => sampleVolume({ name, ...over });
  const all = [named("100%_real"), named("100x_real", { status: "in-use" }), named("back\\slash", { availabilityZone: "az2" })];
  for (const volume of all) await resources.insert(volume);
  const names = async (filter: object) => (await resources.list(sampleProject, filter, page)).items.map((item) => item.name).toSorted();
  assert.deepEqual(await names({ nameContains: "%_R" }), ["100%_real"]);
  assert.deepEqual(await names({ nameContains: "k\\s" }), ["back\\slash"]);
  assert.deepEqual(await names({ nameContains: "REAL" }), ["100%_real", "100x_real"]);
  assert.deepEqual(await names({ name: "100x_real" }), ["100x_real"]);
  assert.deepEqual(await names({ status: "in-use" }), ["100x_real"]);
  assert.deepEqual(await names({ availabilityZone: "az2" }), ["back\\slash"]);
});

onEachDatabase("snapshots are kept, changed, listed and removed", async ({ snapshots }) => {
  const first = sampleSnapshot({ createdAt: 1 });
  const second = sampleSnapshot({ createdAt: 2, volumeId: "volume-2", name: null, metadata: { a: "1" } });
  await snapshots.insert(first);
  await snapshots.insert(second);
  assert.deepEqual(await snapshots.get(sampleProject, second.id), second);
  assert.equal(await snapshots.get(other, second.id), undefined);
  assert.deepEqual(await snapshots.list(sampleProject, {}, page), { items: [second, first], count: 2 });
  assert.deepEqual(await snapshots.list(sampleProject, { volumeId: "volume-1" }, page), { items: [first], count: 1 });
  assert.equal((await snapshots.list(sampleProject, { name: "none" }, page)).count, 0);
  assert.equal((await snapshots.list(other, { status: "available", allProjects: true }, page)).count, 2);
  await snapshots.update(first.id, { status: "deleting", updatedAt: 4 });
  await snapshots.update(first.id, {});
  assert.deepEqual(await snapshots.get(sampleProject, first.id), { ...first, status: "deleting", updatedAt: 4 });
  await snapshots.remove(first.id);
  assert.equal(await snapshots.get(sampleProject, first.id), undefined);
});

onEachDatabase("vaults are kept, filtered, bound to resources and removed with their bindings", async ({ vaults }) => {
  const disk = sampleVault({ createdAt: 2 });
  const implicit = sampleVault({ createdAt: 1, name: "implicit", implicit: true, locked: true, cloudType: "hybrid", tags: [] });
  await vaults.insert(disk);
  await vaults.insert(implicit);
  assert.deepEqual(await vaults.get(sampleProject, disk.id), disk);
  assert.equal(await vaults.get(other, disk.id), undefined);
  assert.deepEqual(await vaults.findImplicit(sampleProject, "disk"), implicit);
  assert.equal(await vaults.findImplicit(sampleProject, "server"), undefined);
  await assert.rejects(vaults.insert(sampleVault({ implicit: true })), constraint);

  const bound = { vaultId: disk.id, resourceId: "volume-b", type: "OS::Cinder::Volume" as const, excludeVolumes: [], suspended: false };
  const boundToo = { ...bound, resourceId: "volume-a", excludeVolumes: ["x"], suspended: true };
  await vaults.bind(bound);
  await vaults.bind(boundToo);
  await assert.rejects(vaults.bind({ ...bound, vaultId: implicit.id }), constraint);
  assert.deepEqual(await vaults.resourcesOf(disk.id), [bound, boundToo]);
  assert.deepEqual(await vaults.vaultOf("volume-a"), boundToo);
  assert.equal(await vaults.vaultOf("volume-c"), undefined);

  const ids = async (filter: object) => (await vaults.list(sampleProject, filter, page)).items.map((vault) => vault.id);
  assert.deepEqual(await ids({}), [disk.id, implicit.id]);
  assert.deepEqual(await ids({ name: "implicit" }), [implicit.id]);
  assert.deepEqual(await ids({ ids: [] }), []);
  assert.deepEqual(await ids({ ids: [disk.id, "x"], status: "available", protectType: "backup", objectType: "disk" }), [disk.id]);
  assert.deepEqual(await ids({ cloudType: "hybrid" }), [implicit.id]);
  assert.deepEqual(await ids({ resourceIds: ["volume-a", "volume-z"] }), [disk.id]);
  assert.deepEqual(await ids({ resourceIds: [] }), []);
  assert.equal((await vaults.list(other, {}, page)).count, 0);

  await vaults.update(disk.id, { locked: true, tags: [], threshold: 9 });
  assert.deepEqual(await vaults.get(sampleProject, disk.id), { ...disk, locked: true, tags: [], threshold: 9 });
  await vaults.setSuspended(disk.id, "volume-b", true);
  await vaults.setSuspended(disk.id, "volume-a", false);
  assert.deepEqual(await vaults.resourcesOf(disk.id), [
    { ...bound, suspended: true },
    { ...boundToo, suspended: false },
  ]);
  await vaults.unbind(disk.id, "volume-b");
  assert.deepEqual(await vaults.resourcesOf(disk.id), [{ ...boundToo, suspended: false }]);
  await vaults.remove(disk.id);
  assert.equal(await vaults.vaultOf("volume-a"), undefined);
});

onEachDatabase("a checkpoint goes only when it is empty", async ({ vaults, checkpoints, backups }) => {
  const vault = sampleVault();
  const checkpoint = sampleCheckpoint({ vaultId: vault.id });
  const backup = sampleBackup({ vaultId: vault.id, checkpointId: checkpoint.id });
  await vaults.insert(vault);
  await checkpoints.insert(checkpoint);
  await backups.insert(backup);
  assert.deepEqual(await checkpoints.get(sampleProject, checkpoint.id), checkpoint);
  assert.equal(await checkpoints.get(other, checkpoint.id), undefined);
  await checkpoints.settle(checkpoint.id);
  assert.deepEqual(await checkpoints.get(sampleProject, checkpoint.id), checkpoint);
  const elsewhere = sampleVault({ id: "vault-elsewhere" });
  await vaults.insert(elsewhere);
  const child = sampleBackup({ ...backup, id: "child", parentId: backup.id, resourceId: "inside" });
  await backups.insert(child);
  assert.deepEqual(await backups.moveToVault("inside", backup.vaultId, elsewhere.id), [], "only with the backup around it");
  assert.deepEqual(await backups.moveToVault(backup.resourceId, elsewhere.id, backup.vaultId), []);
  assert.deepEqual(await backups.moveToVault(backup.resourceId, backup.vaultId, elsewhere.id), [checkpoint.id]);
  assert.equal((await backups.get(sampleProject, child.id))?.vaultId, elsewhere.id);
  await checkpoints.settle(checkpoint.id);
  assert.equal((await checkpoints.get(sampleProject, checkpoint.id))?.vaultId, elsewhere.id);
  await backups.remove(child.id);
  await backups.remove(backup.id);
  await checkpoints.settle(checkpoint.id);
  assert.equal(await checkpoints.get(sampleProject, checkpoint.id), undefined);
});

onEachDatabase("records of copying are found by either end, and go when both ends are gone", async (catalog) => {
  const { replications, backups, vaults, checkpoints } = catalog;
  const vault = sampleVault();
  const checkpoint = sampleCheckpoint({ vaultId: vault.id });
  const [source, copy] = [1, 2].map(() => sampleBackup({ vaultId: vault.id, checkpointId: checkpoint.id })) as [Backup, Backup];
  await vaults.insert(vault);
  await checkpoints.insert(checkpoint);
  for (const backup of [source, copy]) await backups.insert(backup);
  const record = sampleReplication({ sourceBackupId: source.id, sourceVaultId: vault.id, sourceProjectId: other });
  await replications.insert(record);
  assert.deepEqual(await replications.get(record.id), record);
  assert.deepEqual(await replications.openOfVault(vault.id), [record]);
  const made = { ...record, status: "success" as const, destinationBackupId: copy.id, progress: 100, updatedAt: 9 };
  await replications.update(record.id, made);
  for (const id of [source.id, copy.id]) {
    assert.deepEqual(await replications.ofBackup(id), [made]);
    assert.deepEqual((await backups.view(sampleProject, id))?.replications, [made]);
  }
  assert.deepEqual(await replications.openOfVault(vault.id), []);
  for (const project of [sampleProject, other]) assert.deepEqual(await replications.ofProject(project), [made]);
  const question = { ...made, backupIds: [source.id, "x"] };
  assert.deepEqual(await replications.liveCopies(question), [source.id]);
  assert.deepEqual(await replications.liveCopies({ ...question, sourceRegion: "elsewhere" }), []);
  assert.deepEqual(await replications.liveCopies({ ...question, backupIds: [] }), []);
  await backups.remove(source.id);
  await replications.forget(source.id);
  assert.deepEqual(await replications.ofBackup(copy.id), [made], "the copy is still there");
  await backups.remove(copy.id);
  assert.deepEqual(await replications.liveCopies(question), []);
  await replications.forget(copy.id);
  assert.equal(await replications.get(record.id), undefined);
});
