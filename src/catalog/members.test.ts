import assert from "node:assert/strict";
import { CatalogError } from "./errors.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleBackup, sampleCheckpoint, sampleMember, sampleProject, sampleVault } from "./samples.ts";
import type { BackupFilter, Catalog } from "./tables.ts";

const [receiver, stranger] = ["1".repeat(32), "2".repeat(32)];
const page = { limit: 100, offset: 0 };
const constraint = (error: unknown): boolean => error instanceof CatalogError && error.code === "constraint";

/** The owner's disk backup, and server backup with a disk inside; the receiver's own backup, in its own vault. */
async function stored({ vaults, checkpoints, backups }: Catalog) {
  const [of, to] = [sampleVault(), sampleVault({ projectId: receiver })];
  const [point, own] = [sampleCheckpoint({ vaultId: of.id }), sampleCheckpoint({ vaultId: to.id, projectId: receiver })];
  const common = { vaultId: of.id, checkpointId: point.id };
  const disk = sampleBackup({ ...common, createdAt: 1 });
  const server = sampleBackup({ ...common, resourceType: "OS::Nova::Server", createdAt: 2 });
  const child = sampleBackup({ ...common, parentId: server.id, createdAt: 3 });
  const mine = sampleBackup({ projectId: receiver, vaultId: to.id, checkpointId: own.id, createdAt: 4 });
  for (const vault of [of, to]) await vaults.insert(vault);
  for (const checkpoint of [point, own]) await checkpoints.insert(checkpoint);
  for (const backup of [disk, server, child, mine]) await backups.insert(backup);
  return { of, to, disk, server, child, mine };
}

onEachDatabase("shares are kept, changed, listed, and go with their backup", async (catalog) => {
  const { members, backups } = catalog;
  const { disk, server } = await stored(catalog);
  const first = sampleMember({ backupId: disk.id, destProjectId: receiver, createdAt: 1 });
  const second = sampleMember({ backupId: disk.id, destProjectId: stranger, createdAt: 2, status: "rejected" });
  for (const member of [first, second]) await members.insert(member);
  await assert.rejects(members.insert(sampleMember({ backupId: disk.id, destProjectId: receiver })), constraint);
  await assert.rejects(members.insert(sampleMember({ backupId: "nowhere", destProjectId: receiver })), constraint);
  assert.deepEqual(await members.get(disk.id, receiver), first);
  assert.equal(await members.get(server.id, receiver), undefined);
  assert.deepEqual(await members.list(disk.id, {}, page), { items: [second, first], count: 2 });
  assert.deepEqual(await members.list(disk.id, { status: "rejected" }, page), { items: [second], count: 1 });
  assert.deepEqual(await members.list(disk.id, { destProjectId: receiver }, page), { items: [first], count: 1 });
  assert.deepEqual(await members.list(disk.id, {}, { limit: 1, offset: 0, marker: second.id }), { items: [first], count: 2 });
  assert.deepEqual((await members.list(disk.id, {}, page, [{ key: "created_at", direction: "asc" }])).items, [first, second]);
  assert.deepEqual(await members.ofOwner(sampleProject), [first, second]);
  assert.deepEqual(await members.ofOwner(receiver), []);
  const accepted = { ...first, status: "accepted" as const, vaultId: "v", updatedAt: 9 };
  await members.update(first.id, { status: "accepted", vaultId: "v", updatedAt: 9 });
  assert.deepEqual(await members.received(receiver, [disk.id, server.id]), [accepted]);
  assert.deepEqual(await members.inVault("v"), [accepted]);
  await members.remove(second.id);
  assert.equal(await members.get(disk.id, stranger), undefined);
  await backups.remove(disk.id);
  assert.deepEqual(await members.ofOwner(sampleProject), []);
});

onEachDatabase("what is shared with a project goes with the project", async (catalog) => {
  const { members, identity } = catalog;
  const { disk } = await stored(catalog);
  await identity.insertDomain({ id: "default", name: "Default" });
  await identity.insertProject({ id: receiver, domainId: "default", name: "r", description: "", enabled: true });
  for (const destProjectId of [receiver, stranger]) await members.insert(sampleMember({ backupId: disk.id, destProjectId }));
  await identity.removeProject(receiver);
  assert.deepEqual(
    (await members.list(disk.id, {}, page)).items.map((member) => member.destProjectId),
    [stranger],
  );
});

onEachDatabase("an accepted share opens the backup and the disks inside it, to its receiver only", async (catalog) => {
  const { members } = catalog;
  const { disk, server, child, mine } = await stored(catalog);
  for (const status of ["pending", "rejected", "accepted"] as const) {
    await members.insert(sampleMember({ backupId: server.id, destProjectId: receiver, status }));
    const opened = [];
    for (const { id } of [server, child, disk, mine]) opened.push((await members.accepted(receiver, id)) !== undefined);
    assert.deepEqual(opened, [status === "accepted", status === "accepted", false, false], status);
    assert.equal(await members.accepted(stranger, server.id), undefined);
    await members.remove((await members.get(server.id, receiver))!.id);
  }
});

onEachDatabase("lists tell one's own backups, those that are shared with one, or both", async (catalog) => {
  const { members, backups } = catalog;
  const { of, to, disk, server, child, mine } = await stored(catalog);
  await members.insert(sampleMember({ backupId: server.id, destProjectId: receiver, status: "accepted", vaultId: to.id }));
  await members.insert(sampleMember({ backupId: disk.id, destProjectId: receiver, status: "pending" }));
  const listed = async (projectId: string, filter: BackupFilter) =>
    (await backups.list(projectId, filter, page)).items.map(({ backup }) => backup.id);
  const top = { parentId: null };
  assert.deepEqual(await listed(receiver, top), [mine.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "shared" }), [server.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "all" }), [mine.id, server.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "shared", memberStatus: "pending" }), [disk.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "shared", memberStatus: "rejected" }), []);
  assert.deepEqual(await listed(receiver, { ...top, own: "all", memberStatus: "pending" }), [disk.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "all", vaultId: to.id }), [mine.id, server.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "shared", vaultId: to.id }), [server.id]);
  assert.deepEqual(await listed(receiver, { ...top, own: "all", vaultId: of.id }), [], "the owner's vault is nobody else's business");
  assert.deepEqual(await listed(receiver, { parentId: server.id, own: "shared" }), [child.id]);
  assert.deepEqual(await listed(receiver, { parentId: server.id }), []);
  assert.deepEqual(await listed(sampleProject, { ...top, memberStatus: "accepted" }), [server.id]);
  assert.deepEqual(await listed(sampleProject, { ...top, own: "shared" }), []);
  assert.deepEqual(await listed(sampleProject, { ...top, own: "all" }), [server.id, disk.id]);
  for (const own of ["shared", "all"] as const)
    for (const memberStatus of ["pending", "accepted", "rejected"] as const)
      assert.deepEqual(await listed(stranger, { ...top, own, memberStatus }), []);
  const second = await backups.list(receiver, { ...top, own: "all" }, { limit: 5, offset: 0, marker: mine.id });
  assert.deepEqual([second.items.map(({ backup }) => backup.id), second.count], [[server.id], 2]);
});

onEachDatabase("what is shared with a project counts in the vault that it is kept in", async (catalog) => {
  const { members, vaults } = catalog;
  const { of, to, disk, server } = await stored(catalog);
  const before = [(await vaults.usage(of.id)).usedBytes, (await vaults.usage(to.id)).usedBytes] as const;
  await members.insert(sampleMember({ backupId: server.id, destProjectId: receiver, status: "accepted", vaultId: to.id, sizeBytes: 7 }));
  await members.insert(sampleMember({ backupId: disk.id, destProjectId: receiver, sizeBytes: 100 }));
  assert.equal((await vaults.usage(of.id)).usedBytes, before[0]);
  assert.equal((await vaults.usage(to.id)).usedBytes, before[1] + 7);
});
