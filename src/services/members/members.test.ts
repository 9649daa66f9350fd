import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Member } from "#model/member.ts";
import type { Server, Volume } from "#model/resource.ts";
import type { Engine, TaskControl } from "#repository/engine-types.ts";
import { recover } from "#worker/recovery.ts";
import { startRunner } from "#worker/runner.ts";
import { aborted, edges, makeVolume, makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { listBackups } from "../backups/listBackups.ts";
import { readBackupRange } from "../backups/readBackupRange.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { showBackup } from "../backups/showBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import type { Context } from "../context.ts";
import { addServer } from "../resources/addServer.ts";
import { listTasks } from "../tasks/listTasks.ts";
import { showTask } from "../tasks/showTask.ts";
import { createVault } from "../vaults/createVault.ts";
import { deleteVault } from "../vaults/deleteVault.ts";
import { showVault } from "../vaults/showVault.ts";
import { createVolume } from "../volumes/createVolume.ts";
import { showVolume } from "../volumes/showVolume.ts";
import { addMember } from "./addMember.ts";
import { deleteMember } from "./deleteMember.ts";
import { updateMemberStatus } from "./updateMemberStatus.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const page = { limit: 100, offset: 0 };
const gone = { code: "backupNotFound" };

async function vaultOf(caller: Caller, objectType: "disk" | "server", resources: { id: Id; type: Volume["type"] | Server["type"] }[] = []) {
  const kind = { protectType: "backup", consistentLevel: "crash_consistent", sizeGib: 10 } as const;
  const { vault } = await createVault(world.context, caller, { ...kind, name: `${objectType}-vault`, objectType, resources });
  return vault;
}

/** A server with two disks of different content, in a project. */
async function serverOf(caller: Caller, seed: number): Promise<{ server: Server; disks: Volume[] }> {
  const disks = [await makeVolume(world, caller, "root", seed), await makeVolume(world, caller, "data", seed + 10)];
  const server = await addServer(world.context, caller, {
    name: "web",
    disks: disks.map((disk, index) => ({ volumeId: disk.id, systemDisk: index === 0 })),
  });
  return { server, disks };
}

/** Two projects; the first one's backup of a kind is offered to the second, which has a vault for it. */
async function offered(kind: "disk" | "server") {
  const [owner, receiver] = [await world.newCaller(), await world.newCaller()];
  const { server, disks } = kind === "server" ? await serverOf(owner, 1) : { server: undefined, disks: [await makeVolume(world, owner)] };
  const vault = await vaultOf(owner, kind, [server ?? disks[0]!]);
  await createCheckpoint(world.context, owner, { vaultId: vault.id });
  await world.runAll();
  const [made] = (await listBackups(world.context, owner, { filter: { parentId: null }, page })).items;
  const backupId = made!.backup.id;
  const [member] = await addMember(world.context, owner, { backupId, projectIds: [receiver.projectId] });
  const keptIn = await vaultOf(receiver, kind);
  const answer = (status: Member["status"], vaultId: Id = keptIn.id) =>
    updateMemberStatus(world.context, receiver, { backupId, memberId: receiver.projectId, status, vaultId });
  return { owner, receiver, backupId, view: made!, disks, vault, keptIn, member: member!, answer };
}

/** What the receiver of a share can do with it: everything that must fail where it is not accepted, with no trace. */
async function refusedAll(receiver: Caller, backupId: Id, childIds: Id[]): Promise<void> {
  const target = await createVolume(world.context, receiver, { sizeGib: 1 });
  for (const id of [backupId, ...childIds]) {
    const { context } = world;
    await assert.rejects(showBackup(context, receiver, { backupId: id, orShared: true }), gone);
    await assert.rejects(restoreBackup(context, receiver, { backupId: id, volumeId: target.id }), gone);
    await assert.rejects(restoreBackup(context, receiver, { backupId: id, newVolumeName: "x" }), gone);
    await assert.rejects(createVolume(context, receiver, { backupId: id }), gone);
    await assert.rejects(readBackupRange(context, receiver, { backupId: id, offset: 0, length: 10 }), gone);
    await assert.rejects(deleteBackup(context, receiver, { backupId: id }), gone);
    await assert.rejects(addMember(context, receiver, { backupId: id, projectIds: [] }), gone);
  }
  for (const own of ["private", "shared", "all"] as const)
    for (const parentId of [null, backupId]) assert.equal((await listBackups(world.context, receiver, { filter: { own, parentId }, page })).count, 0);
  assert.equal((await listTasks(world.context, receiver, { filter: { type: "restore" }, page })).count, 0);
  assert.equal((await world.catalog.resources.list(receiver.projectId, {}, page)).count, 1);
}

test("a pending, rejected or ended share opens nothing, and neither does one to somebody else", async () => {
  const { receiver, backupId, view, answer, owner } = await offered("server");
  const children = view.children.map((child) => child.id);
  await refusedAll(receiver, backupId, children);
  const others = await world.newCaller();
  await refusedAll(others, backupId, children);
  await answer("rejected");
  const again = { ...receiver, projectId: receiver.projectId };
  await assert.rejects(showBackup(world.context, again, { backupId, orShared: true }), gone);
  await answer("accepted");
  assert.equal((await showBackup(world.context, receiver, { backupId, orShared: true })).backup.id, backupId);
  await refusedAll(await world.newCaller(), backupId, children);
  await deleteMember(world.context, owner, { backupId, memberId: receiver.projectId });
  for (const id of [backupId, ...children]) await assert.rejects(showBackup(world.context, receiver, { backupId: id, orShared: true }), gone);
});

test("an offer tells what it is of, and nothing else; what is not told cannot be asked for", async () => {
  const { receiver, backupId, view, vault } = await offered("server");
  const offers = (filter: object) =>
    listBackups(world.context, receiver, { filter: { own: "shared", memberStatus: "pending", parentId: null, ...filter }, page });
  const { items, count } = await offers({});
  assert.deepEqual([count, items[0]!.backup.id, items[0]!.backup.name], [1, backupId, view.backup.name]);
  const text = JSON.stringify(items);
  for (const secret of [
    vault.id,
    view.backup.resourceId,
    view.backup.resourceName,
    view.backup.checkpointId,
    view.backup.taskId!,
    view.children[0]!.id,
  ])
    assert.ok(!text.includes(JSON.stringify(secret)), secret);
  assert.equal((await offers({ resourceId: view.backup.resourceId })).count, 0);
  assert.equal((await offers({ resourceName: view.backup.resourceName })).count, 0);
  assert.equal((await offers({ vaultId: vault.id })).count, 0);
  assert.equal((await offers({ name: view.backup.name })).count, 1);
  assert.equal((await offers({ parentId: backupId })).count, 0);
  const both = { own: "all", memberStatus: "pending", resourceId: view.backup.resourceId } as const;
  assert.equal((await listBackups(world.context, receiver, { filter: both, page })).count, 0);
});

test("an accepted disk backup is restored and made a volume of, bit for bit; of the owner only that is seen", async () => {
  const { owner, receiver, backupId, view, disks, vault, keptIn, member, answer } = await offered("disk");
  assert.equal(member.status, "pending");
  assert.equal(member.sizeBytes, view.backup.statistics!.dataBytes);
  const accepted = await answer("accepted");
  assert.deepEqual([accepted.status, accepted.vaultId], ["accepted", keptIn.id]);
  const seen = await showBackup(world.context, receiver, { backupId, orShared: true });
  assert.deepEqual([seen.backup.vaultId, seen.backup.projectId, seen.resourceExists, seen.hasDependents], [keptIn.id, owner.projectId, false, false]);
  assert.ok(!JSON.stringify(seen).includes(vault.id));
  await assert.rejects(showBackup(world.context, receiver, { backupId }), gone, "Block Storage shows a project its own backups only");
  const listed = await listBackups(world.context, receiver, { filter: { own: "shared", parentId: null, vaultId: keptIn.id }, page });
  assert.deepEqual(listed.items, [seen]);
  assert.equal((await showVault(world.context, receiver, { vaultId: keptIn.id })).usage.usedBytes, member.sizeBytes);

  const target = await makeVolume(world, receiver, "target", 99);
  const { taskId } = await restoreBackup(world.context, receiver, { backupId, volumeId: target.id });
  const status = async (who: Caller, orShared: boolean) => (await showBackup(world.context, who, { backupId, orShared })).backup.status;
  assert.deepEqual([await status(receiver, true), await status(owner, false)], ["waiting_restore", "available"]);
  const [fresh, made] = [
    await restoreBackup(world.context, receiver, { backupId, newVolumeName: "fresh" }),
    await createVolume(world.context, receiver, { backupId }),
  ];
  await world.runAll();
  const bytes = await edges(world, disks[0]!.id);
  for (const id of [target.id, fresh.volumeId!, made.id]) {
    assert.equal((await showVolume(world.context, receiver, { volumeId: id })).status, "available");
    assert.deepEqual(await edges(world, id), bytes);
  }
  const task = await showTask(world.context, receiver, { taskId });
  assert.deepEqual([task.status, task.vaultId, task.checkpointId, task.resourceId], ["success", keptIn.id, null, target.id]);
  assert.ok(!JSON.stringify(task).includes(vault.id) && !JSON.stringify(task).includes(view.backup.resourceId));
  assert.equal((await listTasks(world.context, owner, { filter: { type: "restore" }, page })).count, 0);
  assert.deepEqual([await status(receiver, true), await status(owner, false)], ["available", "available"]);
});

test("an accepted server backup goes onto the receiver's server by mappings, and its disks into volumes", async () => {
  const { receiver, backupId, view, disks, answer } = await offered("server");
  await answer("accepted");
  const mine = await serverOf(receiver, 50);
  const mappings = view.children.map((child, index) => ({ backupId: child.id, volumeId: mine.disks[index]!.id }));
  await assert.rejects(restoreBackup(world.context, receiver, { backupId }), { code: "serverNotFound" });
  await assert.rejects(restoreBackup(world.context, receiver, { backupId, serverId: mine.server.id }), { code: "badMapping" });
  await restoreBackup(world.context, receiver, { backupId, serverId: mine.server.id, mappings });
  const single = await createVolume(world.context, receiver, { backupId: view.children[1]!.id });
  await assert.rejects(createVolume(world.context, receiver, { backupId }), { code: "backupNotRestorable" });
  await world.runAll();
  for (const [index, disk] of mine.disks.entries()) assert.deepEqual(await edges(world, disk.id), await edges(world, disks[index]!.id));
  assert.deepEqual(await edges(world, single.id), await edges(world, disks[1]!.id));
  const seen = await showBackup(world.context, receiver, { backupId, orShared: true });
  assert.deepEqual(
    seen.children.map((child) => child.id),
    view.children.map((child) => child.id),
  );
  const children = await listBackups(world.context, receiver, { filter: { own: "shared", parentId: backupId }, page });
  assert.equal(children.count, 2);
});

test("a receiver neither deletes nor passes on, nor reads raw ranges; the owner does not answer for it", async () => {
  const { owner, receiver, backupId, view, answer } = await offered("server");
  await answer("accepted");
  const third = await world.newCaller();
  await assert.rejects(deleteBackup(world.context, receiver, { backupId }), { code: "backupNotDeletable" });
  await assert.rejects(addMember(world.context, receiver, { backupId, projectIds: [third.projectId] }), { code: "receivedNotShareable" });
  await assert.rejects(readBackupRange(world.context, receiver, { backupId: view.children[0]!.id, offset: 0, length: 10 }), gone);
  const byOwner = { backupId, memberId: receiver.projectId, status: "rejected" as const };
  await assert.rejects(updateMemberStatus(world.context, owner, byOwner), { code: "memberChangeFailed" });
  await assert.rejects(updateMemberStatus(world.context, third, byOwner), gone);
  await assert.rejects(deleteMember(world.context, third, { backupId, memberId: receiver.projectId }), gone);
  assert.equal((await showBackup(world.context, receiver, { backupId, orShared: true })).backup.status, "available");
});

test("accepting needs a vault of the same kind with room for it", async () => {
  const { receiver, member, backupId, answer, keptIn } = await offered("disk");
  const servers = await vaultOf(receiver, "server");
  await assert.rejects(answer("accepted", servers.id), { code: "receivingVaultMismatch" });
  await assert.rejects(answer("accepted", world.context.random.uuid()), { code: "vaultNotFound" });
  await assert.rejects(answer("accepted", "x"), { code: "memberInvalid" });
  const none = { backupId, memberId: receiver.projectId, status: "accepted" as const };
  await assert.rejects(updateMemberStatus(world.context, receiver, none), { code: "memberInvalid" });
  await world.catalog.members.update(member.id, { sizeBytes: 11 * 1024 ** 3 });
  await assert.rejects(answer("accepted"), { code: "memberChangeFailed" });
  await world.catalog.members.update(member.id, { sizeBytes: 10 * 1024 ** 3 });
  await answer("accepted");
  await answer("accepted");
  assert.equal((await showVault(world.context, receiver, { vaultId: keptIn.id })).usage.usedBytes, 10 * 1024 ** 3);
  await answer("rejected");
  assert.equal((await showVault(world.context, receiver, { vaultId: keptIn.id })).usage.usedBytes, 0);
});

/** The world's context, whose next restore does `during` and then waits to be stopped. */
function interrupted(during: () => Promise<unknown>): Context {
  const restore = async (...[request, control]: [Parameters<Engine["restore"]>[0], TaskControl]) => {
    await during();
    await aborted(control.signal!);
    return await world.engine.restore(request, control);
  };
  const engine = new Proxy(world.engine, { get: (target, key) => (key === "restore" ? restore : Reflect.get(target, key)) });
  return { ...world.context, engine };
}

async function runWith(context: Context): Promise<void> {
  const runner = startRunner({ context, owner: context.settings.nodeId, concurrency: 1, heartbeatMs: 5 });
  await runner.idle();
  await runner.stop(0);
}

for (const how of ["taken back by the owner", "given up by the receiver", "gone with the source", "gone with the receiver's vault"])
  test(`a share that is ${how} stops restores from it that wait or run: the volumes keep what they had`, async () => {
    const { owner, receiver, backupId, disks, answer, keptIn } = await offered("disk");
    await answer("accepted");
    const end = async (): Promise<void> => {
      if (how.startsWith("gone with the source")) await deleteBackup(world.context, owner, { backupId });
      else if (how.startsWith("gone")) await deleteVault(world.context, receiver, { vaultId: keptIn.id });
      else await deleteMember(world.context, how.startsWith("taken") ? owner : receiver, { backupId, memberId: receiver.projectId });
    };
    const targets = [await makeVolume(world, receiver, "one", 61), await makeVolume(world, receiver, "two", 62)];
    const before = [await edges(world, targets[0]!.id), await edges(world, targets[1]!.id)];
    const tasks: Id[] = [];
    for (const { id } of targets) tasks.push((await restoreBackup(world.context, receiver, { backupId, volumeId: id })).taskId);
    let ended = false;
    await runWith(
      interrupted(async () => {
        if (!ended) await end();
        ended = true;
      }),
    );
    for (const [index, target] of targets.entries()) {
      const task = await showTask(world.context, receiver, { taskId: tasks[index]! });
      assert.equal(task.status, "failed");
      assert.deepEqual(await edges(world, target.id), before[index]);
      assert.equal((await showVolume(world.context, receiver, { volumeId: target.id })).status, "available");
    }
    await assert.rejects(showBackup(world.context, receiver, { backupId, orShared: true }), gone);
    if (how.startsWith("gone with the source")) await assert.rejects(showBackup(world.context, owner, { backupId }), gone);
    else assert.equal((await showBackup(world.context, owner, { backupId })).backup.status, "available");
    assert.equal((await showVolume(world.context, owner, { volumeId: disks[0]!.id })).status, "available");
    assert.equal(await world.catalog.members.get(backupId, receiver.projectId), undefined);
  });

test("owner and receivers restore one backup at the same time, and none sees another's", async () => {
  const { owner, receiver, backupId, disks, answer } = await offered("disk");
  await answer("accepted");
  const [mine, theirs] = [await makeVolume(world, owner, "o", 71), await makeVolume(world, receiver, "r", 72)];
  await restoreBackup(world.context, owner, { backupId, volumeId: mine.id });
  assert.equal((await showBackup(world.context, receiver, { backupId, orShared: true })).backup.status, "available");
  await restoreBackup(world.context, receiver, { backupId, volumeId: theirs.id });
  await world.runAll();
  const bytes = await edges(world, disks[0]!.id);
  for (const { id } of [mine, theirs]) assert.deepEqual(await edges(world, id), bytes);
  assert.equal((await showBackup(world.context, owner, { backupId })).backup.status, "available");
});

test("a receiver's restore that a crash interrupts is failed without touching the owner's own", async () => {
  const { owner, receiver, backupId, answer } = await offered("disk");
  await answer("accepted");
  const [mine, theirs] = [await makeVolume(world, owner, "o", 81), await makeVolume(world, receiver, "r", 82)];
  const { taskId } = await restoreBackup(world.context, receiver, { backupId, volumeId: theirs.id });
  const now = world.context.clock.nowUs();
  const claimed = await world.catalog.tasks.claim({ owner: "dead", now, leaseUntil: now + 1 });
  assert.equal(claimed!.id, taskId);
  await restoreBackup(world.context, owner, { backupId, volumeId: mine.id });
  await recover(world.context, "dead");
  assert.equal((await showTask(world.context, receiver, { taskId })).status, "failed");
  assert.equal((await showBackup(world.context, owner, { backupId })).backup.status, "waiting_restore");
  await world.runAll();
  assert.equal((await showBackup(world.context, owner, { backupId })).backup.status, "available");
});
