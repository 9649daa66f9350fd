import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalog } from "#catalog/open.ts";
import { sampleBackup, sampleReplication, sampleVolume } from "#catalog/samples.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { silentLog } from "#platform/log.ts";
import { systemRandom } from "#platform/random.ts";
import { edges, makeVolume, makeWorld, noise } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { deleteBackup } from "../backups/deleteBackup.ts";
import { restoreBackup } from "../backups/restoreBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { createStateKeeper } from "../rebuild/keepStates.ts";
import { rebuildCatalog } from "../rebuild/rebuildCatalog.ts";
import { addServer } from "../resources/addServer.ts";
import { catalogFindings } from "../support/catalog-findings.ts";
import { cancelTask } from "../tasks/cancelTask.ts";
import { createVault } from "../vaults/createVault.ts";
import { deleteVault } from "../vaults/deleteVault.ts";
import { writeVolumeRange } from "../volumes/writeVolumeRange.ts";
import { beginReplica } from "./beginReplica.ts";
import { cancelReplica } from "./cancelReplica.ts";
import { copyBackup } from "./copyBackup.ts";
import { replicateVault } from "./replicateVault.ts";
import { showReplica } from "./showReplica.ts";
import type { CopyOrder } from "./target.ts";

const page = { limit: 100, offset: 0 };

async function vaultOf(
  world: World,
  caller: Caller,
  protectType: "backup" | "replication",
  objectType: "disk" | "server",
  resources: { id: Id; type: any }[] = [],
) {
  const input = { name: protectType, sizeGib: 100, objectType, protectType, consistentLevel: "crash_consistent" as const, resources };
  return (await createVault(world.context, caller, input)).vault;
}

/** A disk with a backup in a vault, and a vault for copies in another project in which the caller may copy too. */
async function story(world: World) {
  const { context, catalog } = world;
  await catalog.identity.insertUser({ id: "u1", domainId: "default", name: "u", passwordHash: "", enabled: true, defaultProjectId: null });
  const caller = await world.newCaller();
  const other = await world.newCaller();
  await catalog.identity.grantRole("u1", other.projectId, "member");
  const disk = await makeVolume(world, caller);
  const vault = await vaultOf(world, caller, "backup", "disk", [{ id: disk.id, type: disk.type }]);
  const copies = await vaultOf(world, other, "replication", "disk");
  const backUp = async (): Promise<Id> => {
    const { checkpoint } = await createCheckpoint(context, caller, { vaultId: vault.id });
    await world.runAll();
    return (await catalog.backups.ofCheckpoint(checkpoint.id))[0]!.id;
  };
  const destination = { destinationRegion: "r1", destinationProjectId: other.projectId, destinationVaultId: copies.id };
  return { caller, other, disk, vault, copies, destination, backUp };
}

const refusal = (code: string) => (error: unknown) => error instanceof DomainError && error.code === code;

test(
  "a disk's backup is copied into another project, seen on both sides, and restored there when the source is gone",
  { timeout: 120_000 },
  async () => {
    const world = await makeWorld();
    const { context, catalog } = world;
    const { caller, other, disk, copies, destination, backUp } = await story(world);
    const backupId = await backUp();
    const asked = await copyBackup(context, caller, { backupId, ...destination, name: "far" });
    assert.equal(asked.status, "waiting_replicate");
    await assert.rejects(copyBackup(context, caller, { backupId, ...destination }), refusal("replicaExists"));
    await assert.rejects(deleteBackup(context, caller, { backupId }), refusal("backupInUse"));
    await world.runAll();

    const [record] = (await catalog.backups.view(caller.projectId, backupId))!.replications;
    assert.deepEqual([record?.id, record?.status, record?.progress, record?.failReason], [asked.id, "success", 100, ""]);
    const copy = (await catalog.backups.view(other.projectId, record!.destinationBackupId!))!;
    assert.deepEqual(copy.replications, [record]);
    const { backup } = copy;
    const source = (await catalog.backups.get(caller.projectId, backupId))!;
    assert.deepEqual(
      [backup.status, backup.imageType, backup.name, backup.vaultId, backup.resourceId, backup.protectedAt, backup.checkpointId],
      ["available", "replication", "far", copies.id, disk.id, source.protectedAt, record?.destinationCheckpointId],
    );
    assert.equal(backup.statistics?.dataBytes, source.statistics?.dataBytes);
    for (const { projectId } of [caller, other]) assert.deepEqual(await catalogFindings(context, projectId, () => {}), []);
    await assert.rejects(copyBackup(context, caller, { backupId, ...destination }), refusal("replicaExists"));
    const tasks = [
      ...(await catalog.tasks.list(caller.projectId, { type: "replication" }, page)).items,
      ...(await catalog.tasks.list(other.projectId, { type: "replica" }, page)).items,
    ];
    assert.deepEqual(
      tasks.map(({ status }) => status),
      ["success", "success"],
    );

    const before = await edges(world, disk.id);
    await deleteBackup(context, caller, { backupId });
    await world.runAll();
    assert.equal(await catalog.backups.get(caller.projectId, backupId), undefined);
    const { volumeId } = await restoreBackup(context, other, { backupId: backup.id });
    await world.runAll();
    assert.ok((await edges(world, volumeId!)).equals(before));
    await deleteBackup(context, other, { backupId: backup.id });
    await world.runAll();
    assert.equal(await catalog.replications.get(asked.id), undefined, "nothing is left that the record tells of");
    await world.close();
  },
);

test("a vault's copies follow its backups and move only what has changed; a copy is copied on", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  const { context, catalog } = world;
  const { caller, other, disk, vault, copies, destination, backUp } = await story(world);
  await backUp();
  const input = { vaultId: vault.id, ...destination, autoTrigger: true, retentionDays: 3 };
  const first = await replicateVault(context, caller, input);
  await assert.rejects(replicateVault(context, caller, input), refusal("vaultBeingReplicated"));
  await world.runAll();
  await assert.rejects(replicateVault(context, caller, input), refusal("nothingToReplicate"));
  await writeVolumeRange(context, caller, { volumeId: disk.id, offset: 0, bytes: noise(1000, 99) });
  await backUp();
  const second = await replicateVault(context, caller, input);
  await world.runAll();
  assert.deepEqual([first.length, second.length], [1, 1]);
  const received = (await catalog.tasks.list(other.projectId, { type: "replica" }, page)).items.map(
    ({ result }) => result["receivedBytes"] as number,
  );
  assert.ok(received[0]! < 2 * 65_536 + 40_000 && received[1]! > 250_000, `${received.join(", ")} bytes`);
  const { items } = await catalog.backups.list(other.projectId, { vaultId: copies.id }, page);
  assert.equal(items.length, 2);
  for (const { backup } of items)
    assert.deepEqual([backup.status, backup.autoTrigger, backup.expiredAt! - backup.createdAt], ["available", true, 3 * 86_400e6]);

  // Back again is refused, on to a third vault is not.
  const home = await vaultOf(world, caller, "replication", "disk");
  await catalog.identity.grantRole("u1", caller.projectId, "member");
  const back = { vaultId: copies.id, destinationRegion: "r1", destinationProjectId: caller.projectId, destinationVaultId: home.id };
  await assert.rejects(replicateVault(context, other, back), refusal("nothingToReplicate"));
  const third = await vaultOf(world, other, "replication", "disk");
  await replicateVault(context, other, { ...back, destinationProjectId: other.projectId, destinationVaultId: third.id });
  await world.runAll();
  const inThird = (await catalog.backups.list(other.projectId, { vaultId: third.id }, page)).items;
  const [newest] = inThird.toSorted((a, b) => b.backup.protectedAt! - a.backup.protectedAt!);
  const { volumeId } = await restoreBackup(context, other, { backupId: newest!.backup.id });
  await world.runAll();
  assert.ok((await edges(world, volumeId!)).equals(await edges(world, disk.id)));
  await world.close();
});

test("a server's backup is copied with its disks", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  const { context, catalog } = world;
  const caller = await world.newCaller();
  const [root, data] = [await makeVolume(world, caller, "root", 3), await makeVolume(world, caller, "data", 5)];
  const disks = [
    { volumeId: root.id, systemDisk: true },
    { volumeId: data.id, systemDisk: false },
  ];
  const server = await addServer(context, caller, { name: "web", disks });
  const vault = await vaultOf(world, caller, "backup", "server", [{ id: server.id, type: server.type }]);
  const copies = await vaultOf(world, caller, "replication", "server");
  const { checkpoint } = await createCheckpoint(context, caller, { vaultId: vault.id });
  await world.runAll();
  const parent = (await catalog.backups.ofCheckpoint(checkpoint.id)).find(({ parentId }) => parentId === null)!;
  const [child] = await catalog.backups.children(parent.id);
  const destination = { destinationRegion: "r1", destinationProjectId: caller.projectId, destinationVaultId: copies.id };
  await assert.rejects(copyBackup(context, caller, { backupId: child!.id, ...destination }), refusal("backupNotReplicable"));
  await copyBackup(context, caller, { backupId: parent.id, ...destination });
  await world.runAll();
  assert.deepEqual(await catalogFindings(context, caller.projectId, () => {}), []);
  const [copy] = (await catalog.backups.list(caller.projectId, { vaultId: copies.id, parentId: null }, page)).items;
  assert.deepEqual([copy?.backup.status, copy?.children.map(({ status }) => status)], ["available", ["available", "available"]]);
  assert.equal((await catalog.tasks.list(caller.projectId, { type: "replica" }, page)).items[0]?.result["newBytes"], 0);
  for (const [at, volume] of [root, data].entries()) {
    const { volumeId } = await restoreBackup(context, caller, { backupId: copy!.children[at]!.id });
    await world.runAll();
    assert.ok((await edges(world, volumeId!)).equals(await edges(world, volume.id)));
  }
  await world.close();
});

test("what cannot be copied is refused by name, and nothing changes", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  const { context, catalog } = world;
  const { caller, other, vault, destination, backUp } = await story(world);
  const backupId = await backUp();
  const stranger = await world.newCaller();
  const theirs = await vaultOf(world, stranger, "replication", "disk");
  const [plain, servers] = [await vaultOf(world, other, "backup", "disk"), await vaultOf(world, other, "replication", "server")];
  const cases: [object, string][] = [
    [{ destinationRegion: "nowhere" }, "regionNotReachable"],
    [{ destinationProjectId: stranger.projectId, destinationVaultId: theirs.id }, "projectTakesNoReplicas"],
    [{ destinationProjectId: "f".repeat(32) }, "projectTakesNoReplicas"],
    [{ destinationVaultId: theirs.id }, "destinationVaultMissing"],
    [{ destinationVaultId: plain.id }, "vaultTakesNoReplicas"],
    [{ destinationVaultId: servers.id }, "vaultTakesNoReplicas"],
  ];
  for (const [wrong, code] of cases) {
    await assert.rejects(copyBackup(context, caller, { backupId, ...destination, ...wrong }), refusal(code), code);
    await assert.rejects(replicateVault(context, caller, { vaultId: vault.id, ...destination, ...wrong }), refusal(code), code);
  }
  await assert.rejects(copyBackup(context, stranger, { backupId, ...destination }), refusal("backupNotFound"));
  assert.deepEqual(await catalog.replications.ofProject(caller.projectId), []);
  assert.equal((await catalog.tasks.list(caller.projectId, { type: "replication" }, page)).count, 0);
  await world.close();
});

test("a cancelled copying leaves nothing; one whose vault is gone fails and says why", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  const { context, catalog } = world;
  const { caller, other, copies, destination, backUp } = await story(world);
  const backupId = await backUp();
  await copyBackup(context, caller, { backupId, ...destination });
  const [waiting] = (await catalog.tasks.list(caller.projectId, { type: "replication" }, page)).items;
  await cancelTask(context, caller, { taskId: waiting!.id });
  await world.runAll();
  assert.deepEqual(
    [(await catalog.replications.ofBackup(backupId))[0]?.status, (await catalog.backups.list(other.projectId, {}, page)).count],
    ["fail", 0],
  );
  assert.deepEqual(await world.engine.listRoots(other.projectId), []);

  await copyBackup(context, caller, { backupId, ...destination });
  await deleteVault(context, other, { vaultId: copies.id });
  await world.runAll();
  const [, failed] = await catalog.replications.ofBackup(backupId);
  assert.deepEqual([failed?.status, failed?.failCode], ["fail", "BackupService.6120"]);
  assert.match(failed!.failReason, /there is no vault/);
  await world.close();
});

test("a rebuild brings copies and their records back, and no disk into a project that never had it", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  const { context, catalog, engine } = world;
  const { caller, other, destination, backUp } = await story(world);
  const [first, second] = [await backUp(), await backUp()];
  await copyBackup(context, caller, { backupId: first, ...destination });
  await world.runAll();
  const asked = await copyBackup(context, caller, { backupId: second, ...destination });
  await createStateKeeper({ ...context, log: silentLog }).keep();
  const views = async (from: Catalog) => ({
    source: (await from.backups.list(caller.projectId, {}, page)).items,
    copies: (await from.backups.list(other.projectId, {}, page)).items,
    resources: (await from.resources.list(other.projectId, {}, page)).items,
  });
  const before = await views(catalog);
  assert.equal(before.copies.length, 1);
  const rebuilt = await openCatalog({ path: ":memory:" });
  await rebuildCatalog({ catalog: rebuilt, engine, random: systemRandom, volumesPath: context.settings.volumesPath });
  const after = await views(rebuilt);
  const open = after.source[0]!.replications[0]!;
  assert.deepEqual([open.id, open.status, open.failReason], [asked.id, "fail", "The catalog was rebuilt while it was being copied."]);
  after.source[0]!.replications[0] = before.source[0]!.replications[0]!;
  assert.deepEqual(after, before);
  await rebuilt.close();

  const alone = await openCatalog({ path: ":memory:" });
  const stateless = { ...engine, readState: () => Promise.resolve(undefined) };
  await rebuildCatalog({ catalog: alone, engine: stateless, random: systemRandom, volumesPath: context.settings.volumesPath });
  const { copies, resources } = await views(alone);
  assert.deepEqual(resources, []);
  assert.deepEqual(copies, [{ ...before.copies[0]!, replications: [] }]);
  await alone.close();
  await world.close();
});

test("a region orders copies of its own backups into projects that are opened to it, and nothing else", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  const caller = await world.newCaller();
  const from = "a".repeat(32);
  const vault = await vaultOf(world, caller, "replication", "disk");
  const address = { url: "https://far.example", headers: {}, tls: {} };
  const peer = { region: "far", address, secret: undefined, certificateName: "far.example", accept: [{ from, into: caller.projectId }] };
  const context = { ...world.context, peers: [peer] };
  const backup = sampleBackup({ projectId: from, resourceId: "volume-1" });
  const record = sampleReplication({
    sourceRegion: "far",
    sourceProjectId: from,
    sourceBackupId: backup.id,
    destinationRegion: "r1",
    destinationProjectId: caller.projectId,
    destinationVaultId: vault.id,
  });
  const order: CopyOrder = {
    record,
    objectType: "disk",
    name: "copy",
    description: null,
    retentionDays: null,
    backup,
    children: [],
    resources: { [backup.id]: sampleVolume({ id: "volume-1" }) },
    server: null,
    diskBytes: {},
  };
  const sender = { region: "far" };
  const other = await world.newCaller();
  const wrongs: [Partial<CopyOrder>, string, { region: string }?][] = [
    [{ record: { ...record, sourceRegion: "r1" } }, "invalidRequest"],
    [{ record: { ...record, destinationRegion: "elsewhere" } }, "invalidRequest"],
    [{ backup: { ...backup, projectId: other.projectId } }, "invalidRequest"],
    [{ backup: { ...backup, id: "another" } }, "invalidRequest"],
    [{ resources: {} }, "invalidRequest"],
    [{ resources: { [backup.id]: sampleVolume() } }, "invalidRequest"],
    [{ children: [sampleBackup({ projectId: from, parentId: backup.id })] }, "invalidRequest"],
    [{ objectType: "server" }, "invalidRequest"],
    [{ record: { ...record, destinationProjectId: other.projectId } }, "projectTakesNoReplicas"],
    [{ record: { ...record, destinationVaultId: "none" } }, "destinationVaultMissing"],
    [{}, "invalidRequest", { region: "unknown" }],
  ];
  for (const [wrong, code, as = sender] of wrongs)
    await assert.rejects(beginReplica(context, as, { ...order, ...wrong }), refusal(code), `${code}: ${Object.keys(wrong).join()}`);
  assert.deepEqual(await world.catalog.replications.ofProject(caller.projectId), []);

  const begun = await beginReplica(context, sender, order);
  assert.deepEqual(await beginReplica(context, sender, order), begun, "asked again, nothing more happens");
  assert.equal((await showReplica(context, "far", record.id))?.status, "waiting_replicate");
  assert.equal(await showReplica(context, "near", record.id), undefined);
  const resources = { b: sampleVolume({ id: "volume-1" }) };
  const hijack = { ...order, record: { ...record, sourceBackupId: "b" }, backup: { ...backup, id: "b" }, resources };
  await assert.rejects(beginReplica(context, sender, hijack), refusal("invalidRequest"));
  await cancelReplica(context, record.id);
  assert.equal((await world.catalog.backups.list(caller.projectId, {}, page)).count, 0);
  await world.close();
});
