import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client, devProjectId } from "../support/client.ts";
import { regionSecret, startRegions } from "../support/regions.ts";
import type { Region } from "../support/regions.ts";
import { noise } from "../support/world.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const limit = { timeout: 240_000 };
const folder = mkdtempSync(join(tmpdir(), "opencbr-regions-"));
let east: Region;
let west: Region;
let client: Client;
let far: Client;

before(async () => {
  [east, west] = (await startRegions(folder)) as [Region, Region];
  client = await Client.login(east.service.baseUrl);
  far = await Client.login(west.service.baseUrl);
});
after(async () => {
  await Promise.all([east.stop(), west.stop()]);
  await Promise.all([east.wire.close(), west.wire.close()]);
  rmSync(folder, { recursive: true, force: true });
});

async function replicationVault(of: Client, objectType: "disk" | "server"): Promise<string> {
  const billing = { size: 100, object_type: objectType, protect_type: "replication", consistent_level: "crash_consistent" };
  return (await of.cbr("POST", "vaults", { vault: { name: "copies", resources: [], billing } })).vault.id;
}

const copy = (backupId: string, vaultId: string): Promise<any> =>
  client.cbr("POST", `backups/${backupId}/replicate`, {
    replicate: { destination_region: "west", destination_project_id: devProjectId, destination_vault_id: vaultId },
  });

const isOver = (status: string): boolean => ["success", "fail", "skip"].includes(status);

/** The record as the source shows it, once it is over. */
const recordEnd = (backupId: string, recordId: string): Promise<any> =>
  client.until(
    `record ${recordId}`,
    async () => {
      const { replication_records: records } = await client.backup(backupId);
      const record = records.find((each: { id: string }) => each.id === recordId);
      return isOver(record.status) ? record : undefined;
    },
    120,
  );

/** A disk in a vault of its own with `mib` of noise at its beginning, and a backup of it. */
async function backedUpDisk(name: string, mib: number) {
  const volumeId = await client.newVolume(name);
  await client.write(volumeId, 0, noise(mib * MIB, mib), GIB);
  const vaultId = await client.newVault(name);
  await client.bind(vaultId, volumeId);
  const [backup] = await client.checkpoint(vaultId);
  return { volumeId, vaultId, backupId: backup.id as string };
}

test("increments move only their change, as counted on the wire; both sides show the record", limit, async () => {
  const { volumeId, vaultId, backupId } = await backedUpDisk("grows", 12);
  const vault = await replicationVault(far, "disk");
  const capabilities = await client.cbr("GET", "replication-capabilities");
  assert.deepEqual(capabilities, { regions: [{ name: "east", replication_destinations: ["east", "west"] }] });
  const { replication } = await copy(backupId, vault);
  assert.deepEqual(
    [replication.source_region, replication.destination_region, replication.destination_vault_id, replication.backup_id],
    ["east", "west", vault, backupId],
  );
  const record = await recordEnd(backupId, replication.replication_record_id);
  assert.deepEqual([record.status, record.extra_info.fail_reason, record.extra_info.progress], ["success", "", 100]);
  const there = await far.backup(record.destination_backup_id);
  assert.deepEqual([there.status, there.image_type, there.vault_id, there.resource_id], ["available", "replication", vault, volumeId]);
  assert.deepEqual(there.replication_records, [{ ...record, created_at: there.replication_records[0].created_at }]);
  assert.ok(east.wire.offeredBytes > 12 * MIB);

  east.wire.offeredBytes = 0;
  await client.write(volumeId, 5 * MIB, noise(300_000, 77), GIB);
  const [next] = await client.checkpoint(vaultId);
  const asked = await client.cbr("POST", "checkpoints/replicate", {
    replicate: { vault_id: vaultId, destination_region: "west", destination_project_id: devProjectId, destination_vault_id: vault },
  });
  assert.deepEqual(
    asked.replication.backups.map((each: { backup_id: string }) => each.backup_id),
    [next.id],
  );
  const second = await recordEnd(next.id, asked.replication.backups[0].replication_record_id);
  assert.equal(second.status, "success");
  assert.ok(east.wire.offeredBytes < 3 * 262_144 + 100_000, `${east.wire.offeredBytes} bytes for 300000 that changed`);
  const read = await far.read(`backups/${second.destination_backup_id}/data`, 4 * MIB, 2 * MIB);
  assert.deepEqual(Buffer.from(read), Buffer.from(await client.read(`volumes/${volumeId}/data`, 4 * MIB, 2 * MIB)));
  const again = await client.call("POST", `/v3/${devProjectId}/backups/${backupId}/replicate`, {
    replicate: { destination_region: "west", destination_project_id: devProjectId, destination_vault_id: vault },
  });
  assert.deepEqual([again.status, again.body.error_code], [400, "BackupService.1009"]);
});

test("the vaults for copies of a connected region can be listed, and nothing else of the project there", limit, async () => {
  const [mine] = [await replicationVault(far, "disk"), await far.newVault("private")];
  const external = (query: string) => client.call("GET", `/v3/${devProjectId}/vaults/external?${query}`);
  const there = `external_project_id=${devProjectId}&region_id=west`;
  const { status, body } = await external(there);
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(body.vaults.every((vault: any) => vault.billing.protect_type === "replication"));
  assert.deepEqual((await external(`${there}&vault_id=${mine}`)).body, {
    vaults: [(await far.cbr("GET", `vaults/${mine}`)).vault],
    count: 1,
    limit: 1000,
    offset: 0,
  });
  assert.equal((await external(`${there}&protect_type=backup`)).body.count, 0);
  assert.equal((await external(`${there}&objcet_type=server&limit=5`)).status, 200);
  assert.equal((await external(`external_project_id=${"f".repeat(32)}&region_id=west`)).body.error_code, "BackupService.1011");
  assert.equal((await external(`external_project_id=${devProjectId}&region_id=nowhere`)).status, 400);
});

test("interrupted at either end it goes on where it was: what has arrived does not travel again", limit, async () => {
  const size = 60;
  const { backupId, volumeId } = await backedUpDisk("long", size);
  const vault = await replicationVault(far, "disk");
  east.wire.offeredBytes = 0;
  const storeFiles = (): string[] => readdirSync(join(folder, "west", "data", "store"), { recursive: true, encoding: "utf8" });
  const known = new Set(storeFiles());
  east.wire.chunkAnswers = 11;
  const { replication } = await copy(backupId, vault);
  const passed = (n: number) => client.until(`${n} pieces`, async () => (east.wire.chunkAnswers <= n ? true : undefined), 200);
  await passed(0);
  const packs = () => storeFiles().filter((name) => /packs\/..\/[0-9a-f]{32}$/.test(name) && !known.has(name));
  await client.until("a pack that is stored", async () => (packs().length > 0 ? true : undefined), 200);
  await west.kill();
  await west.start();
  far = await Client.login(west.service.baseUrl);
  east.wire.chunkAnswers = 3;
  await passed(0);
  await east.kill();
  await east.start();
  client = await Client.login(east.service.baseUrl);
  east.wire.chunkAnswers = Number.POSITIVE_INFINITY;
  const record = await recordEnd(backupId, replication.replication_record_id);
  assert.deepEqual([record.status, record.extra_info.fail_reason], ["success", ""]);
  // At most the pack that was being filled, and what was on the wire, was lost.
  assert.ok(east.wire.offeredBytes < (size + 25) * MIB, `${east.wire.offeredBytes} bytes for ${size} MiB`);
  for (const at of [0, 29 * MIB, 57 * MIB]) {
    const there = Buffer.from(await far.read(`backups/${record.destination_backup_id}/data`, at, 3 * MIB));
    assert.ok(there.equals(Buffer.from(await client.read(`volumes/${volumeId}/data`, at, 3 * MIB))), `at ${at}`);
  }
});

test("bytes that are damaged on the way fail the copy, with the reason on both sides, and nothing becomes available", limit, async () => {
  const { backupId } = await backedUpDisk("damaged", 1);
  const vault = await replicationVault(far, "disk");
  east.wire.damaging = true;
  const { replication } = await copy(backupId, vault);
  const record = await recordEnd(backupId, replication.replication_record_id);
  east.wire.damaging = false;
  assert.deepEqual([record.status, record.extra_info.fail_code], ["fail", "BackupService.1006"]);
  assert.match(record.extra_info.fail_reason, /failed its verification/);
  const { backups } = await far.cbr("GET", `backups?vault_id=${vault}&show_replication=true`);
  assert.deepEqual(
    backups.map((each: any) => [each.status, each.replication_records[0].status, each.replication_records[0].extra_info.fail_reason]),
    [["error", "fail", record.extra_info.fail_reason]],
  );
  const retried = await copy(backupId, vault);
  assert.equal((await recordEnd(backupId, retried.replication.replication_record_id)).status, "success");
});

test("cancelled at the source, nothing of it is left at the destination", limit, async () => {
  const { backupId } = await backedUpDisk("cancelled", 9);
  const vault = await replicationVault(far, "disk");
  east.wire.chunkAnswers = 1;
  const { replication } = await copy(backupId, vault);
  await client.until("the first piece", async () => (east.wire.chunkAnswers <= 0 ? true : undefined), 200);
  const kept = await client.call("DELETE", `/v3/${devProjectId}/backups/${backupId}`);
  assert.deepEqual([kept.status, kept.body.error_code], [400, "BackupService.6216"]);
  const { operation_logs: tasks } = await client.cbr("GET", "operation-logs?operation_type=replication&status=running");
  assert.deepEqual(
    tasks.map((task: any) => task.extra_info.replication.source_backup_id),
    [backupId],
  );
  await client.cbr("POST", `operation-logs/${tasks[0].id}/cancel`);
  const record = await recordEnd(backupId, replication.replication_record_id);
  assert.deepEqual([record.status, record.extra_info.fail_reason], ["fail", "cancelled"]);
  east.wire.chunkAnswers = Number.POSITIVE_INFINITY;
  const left = () => far.cbr("GET", `backups?vault_id=${vault}`).then(({ backups }) => (backups.length === 0 ? true : undefined));
  await far.until("the copy to be gone", left, 200);
});

test("a region that is not known, a wrong secret, a foreign project and a foreign backup are refused", limit, async () => {
  const { backupId } = await backedUpDisk("refused", 1);
  const vault = await replicationVault(far, "disk");
  const wrong = async (over: object): Promise<[number, string]> => {
    const replicate = { destination_region: "west", destination_project_id: devProjectId, destination_vault_id: vault, ...over };
    const { status, body } = await client.call("POST", `/v3/${devProjectId}/backups/${backupId}/replicate`, { replicate });
    return [status, body.error_code];
  };
  assert.deepEqual(await wrong({ destination_region: "north" }), [400, "BackupService.1005"]);
  assert.deepEqual(await wrong({ destination_project_id: "f".repeat(32) }), [400, "BackupService.1011"]);
  assert.deepEqual(await wrong({ destination_vault_id: "00000000-0000-4000-8000-000000000000" }), [400, "BackupService.6120"]);
  assert.deepEqual(await wrong({ destination_vault_id: await far.newVault("plain") }), [400, "BackupService.6119"]);

  const { replication } = await copy(backupId, vault);
  const record = await recordEnd(backupId, replication.replication_record_id);
  const offer = `${east.service.baseUrl}/opencbr/v1/replication/offers/${record.id}/${backupId}`;
  const as = (region: string, secret: string) => ({ headers: { "x-opencbr-region": region, authorization: `Bearer ${secret}` } });
  const asked = [as("west", "wrong"), as("north", regionSecret), { headers: {} }, { headers: { "x-auth-token": client.token } }];
  for (const options of asked) assert.equal((await fetch(offer, options)).status, 401);
  assert.equal((await fetch(offer, as("west", regionSecret))).status, 404, "the copying is over: nothing is offered any more");
  const replica = `${west.service.baseUrl}/opencbr/v1/replication/replicas/${record.id}`;
  assert.equal((await fetch(replica, as("east", regionSecret))).status, 200);
  assert.equal((await fetch(replica, as("west", regionSecret))).status, 401);
});

test("a server's backup with two disks is restored bit for bit after its region has gone", limit, async () => {
  const [root, data] = [await client.newVolume("root"), await client.newVolume("data")];
  await client.write(root, 0, noise(3 * MIB, 1), GIB);
  await client.write(data, GIB - 2 * MIB, noise(2 * MIB, 2), GIB);
  const disks = [
    { volume_id: root, system_disk: true },
    { volume_id: data, system_disk: false },
  ];
  const { resource: server } = await client.own("POST", "resources", { resource: { type: "OS::Nova::Server", name: "web", disks } });
  const vaultId = await client.newVault("servers", "server");
  await client.bind(vaultId, server.id, "OS::Nova::Server");
  const [backup] = await client.checkpoint(vaultId);
  const vault = await replicationVault(far, "server");
  const { replication } = await copy(backup.id, vault);
  const record = await recordEnd(backup.id, replication.replication_record_id);
  assert.equal(record.status, "success", record.extra_info.fail_reason);
  await east.stop();

  const there = await far.backup(record.destination_backup_id);
  assert.deepEqual([there.status, there.extend_info.contain_system_disk, there.children.length], ["available", true, 2]);
  const wanted = [
    { offset: 0, bytes: noise(3 * MIB, 1) },
    { offset: GIB - 2 * MIB, bytes: noise(2 * MIB, 2) },
  ];
  for (const [at, { offset, bytes }] of wanted.entries()) {
    const { restore } = await far.volume("POST", `backups/${there.children[at].id}/restore`, { restore: { name: `again-${at}` } });
    await far.until("restore", async () =>
      (await far.volume("GET", `volumes/${restore.volume_id}`)).volume.status === "available" ? true : undefined,
    );
    const read = await far.read(`volumes/${restore.volume_id}/data`, offset, bytes.length);
    assert.ok(Buffer.from(read).equals(bytes));
    const { extents } = await far.own("GET", `volumes/${restore.volume_id}/extents`);
    assert.ok(extents.reduce((sum: number, extent: { length: number }) => sum + extent.length, 0) < 5 * MIB, "holes stay holes");
  }
  await east.start();
});
