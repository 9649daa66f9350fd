/**
 * The truth table: each documented field of each dialect, with a scenario that changes the fact in the real world and sees the field change.
 * Over HTTP only. A field of the lists below without a scenario fails the last test of this file.
 * Longer than a page because it is one table: a row per field.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "../support/client.ts";
import { type Service, startService } from "../support/service.ts";

const words = (text: string): string[] => text.trim().split(/\s+/);

/** What the documents list: CBR v3's backup and its `extend_info`. */
const cbrFields = words(`
  id name description status image_type version incremental resource_id resource_name resource_type resource_size resource_az provider_id
  project_id enterprise_project_id vault_id checkpoint_id parent_id children created_at updated_at protected_at expired_at replication_records
  extend_info.auto_trigger extend_info.bootable extend_info.system_disk extend_info.contain_system_disk extend_info.encrypted
  extend_info.incremental extend_info.snapshot_id extend_info.support_lld extend_info.supported_restore_mode extend_info.os_images_data
  extend_info.is_multi_az extend_info.app_consistency extend_info.architecture extend_info.progress
`).map((field) => `cbr ${field}`);
/** Block Storage v3, with the keys that microversions add. */
const v3Fields = words(`
  id status name description links availability_zone volume_id fail_reason size object_count container created_at updated_at data_timestamp
  snapshot_id is_incremental has_dependent_backups os-backup-project-attr:project_id metadata user_id encryption_key_id
`).map((field) => `v3 ${field}`);
/** VBS v2: what differs from v3, and the keys inside `service_metadata`. */
const v2Fields = [
  "v2 os-bak-tenant-attr:tenant_id",
  ...words("DL VK CMKID bootable backupurl SP BP BT SS ST VMID CS VT OMID ebk_T_I AT progress Type BackupSize snap_id").map(
    (key) => `v2 service_metadata.${key}`,
  ),
];

/** Facts that nothing in the service can cause yet: the documented value for "none". */
const withoutCause: Record<string, unknown> = {
  "cbr version": 3,
  "cbr extend_info.os_images_data": [],
  "cbr extend_info.is_multi_az": false,
  "cbr extend_info.app_consistency": null,
  "v2 service_metadata.BT": 0,
};

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const plain = (bytes: number): Uint8Array => Buffer.alloc(bytes, "text that compresses well ");

let folder: string;
let service: Service;
let client: Client;
let admin: Client;

/** A volume of ours with real bytes in it, a little way in. */
async function disk(name: string, content: Uint8Array = randomBytes(3 * MiB), more: Record<string, unknown> = {}, by = client): Promise<string> {
  const id = await by.newVolume(name, 1, more);
  await by.write(id, 16 * MiB, content, GiB);
  return id;
}

async function vaultOf(id: string, type: "disk" | "server" = "disk"): Promise<string> {
  const vaultId = await client.newVault(`vault-${id.slice(0, 8)}`, type);
  await client.bind(vaultId, id, type === "disk" ? "OS::Cinder::Volume" : "OS::Nova::Server");
  return vaultId;
}

/** A file of the operator's, registered as a volume. */
async function fileDisk(name: string, content: Uint8Array | number, more: Record<string, unknown> = {}): Promise<{ id: string; path: string }> {
  const path = join(folder, "sources", `${name}.raw`);
  writeFileSync(path, typeof content === "number" ? randomBytes(content) : content);
  const { resource } = await client.own("POST", "resources", { resource: { type: "OS::Cinder::Volume", name, path, ...more } });
  return { id: resource.id, path };
}

async function server(name: string, disks: { volume_id: string; system_disk: boolean }[], more: Record<string, unknown> = {}): Promise<string> {
  const { resource } = await client.own("POST", "resources", { resource: { type: "OS::Nova::Server", name, disks, ...more } });
  return resource.id;
}

/** One backup through Block Storage, to its end. */
async function volumeBackup(body: Record<string, unknown>, by = client, version?: string): Promise<string> {
  const headers = version === undefined ? {} : { "openstack-api-version": `volume ${version}` };
  const { backup } = await by.volume("POST", "backups", { backup: body }, headers);
  await by.until("backup", async () => {
    const { status } = (await by.volume("GET", `backups/${backup.id}`)).backup;
    return status === "creating" ? undefined : status;
  });
  return backup.id;
}

const v3 = async (id: string, version?: string, by = client): Promise<any> =>
  (await by.volume("GET", `backups/${id}`, undefined, version === undefined ? {} : { "openstack-api-version": `volume ${version}` })).backup;
const v2 = async (id: string, by = client): Promise<any> => (await by.vbs("GET", `backups/${id}`)).backup;
const metadataOf = async (id: string, by = client): Promise<any> => JSON.parse((await v2(id, by)).service_metadata);

/** Runs a story once, whoever needs it. */
function once<T>(story: () => Promise<T>): () => Promise<T> {
  let told: Promise<T> | undefined;
  return () => (told ??= story());
}

/** A disk is backed up, changes in every way that it can, and is backed up again. */
const twice = once(async () => {
  const volumeId = await disk("alpha");
  const vaultId = await vaultOf(volumeId);
  const [first] = await client.checkpoint(vaultId, { name: "one", description: "before" });
  const firstAlone = { cbr: first, v3: await v3(first.id), v2: await v2(first.id), metadata: await metadataOf(first.id) };
  await client.volume("PUT", `volumes/${volumeId}`, { volume: { name: "beta" } });
  await client.volume("POST", `volumes/${volumeId}/action`, { "os-extend": { new_size: 2 } });
  await client.volume("POST", `volumes/${volumeId}/action`, { "os-set_bootable": { bootable: true } });
  await client.write(volumeId, 500 * MiB, randomBytes(MiB), 2 * GiB);
  const [second] = await client.checkpoint(vaultId, { name: "two", description: "after", auto_trigger: true, retention_duration: 7 });
  const firstLater = { v3: await v3(first.id), metadata: await metadataOf(first.id) };
  return {
    volumeId,
    first: firstAlone,
    firstLater,
    second: { cbr: second, v3: await v3(second.id), v2: await v2(second.id), metadata: await metadataOf(second.id) },
  };
});

/** A backup with a copy of it in a vault for copies. */
const replicated = once(async () => {
  const volumeId = await disk("copied");
  const [backup] = await client.checkpoint(await vaultOf(volumeId));
  const billing = { size: 100, object_type: "disk", protect_type: "replication", consistent_level: "crash_consistent" };
  const { vault } = await client.cbr("POST", "vaults", { vault: { name: "copies", resources: [], billing } });
  const to = { destination_region: "RegionOne", destination_project_id: client.projectId, destination_vault_id: vault.id };
  await client.cbr("POST", `backups/${backup.id}/replicate`, { replicate: to });
  const source = await client.until("the copy", async () => {
    const shown = await client.backup(backup.id);
    return shown.replication_records[0]?.status === "success" ? shown : undefined;
  });
  return { source, replica: await client.backup(source.replication_records[0].destination_backup_id) };
});

/** Two servers: one with its system disk and an architecture, one of data disks only. */
const servers = once(async () => {
  const [root, data, other] = [await disk("root"), await disk("data"), await disk("other")];
  const whole = await server(
    "web",
    [
      { volume_id: root, system_disk: true },
      { volume_id: data, system_disk: false },
    ],
    { architecture: "x86_64" },
  );
  const parts = await server("store", [{ volume_id: other, system_disk: false }], { architecture: "aarch64" });
  const [ofWhole] = await client.checkpoint(await vaultOf(whole, "server"));
  const [ofParts] = await client.checkpoint(await vaultOf(parts, "server"));
  return { root, data, whole, ofWhole, ofParts };
});

/** A source that goes away before it is read, alone and inside a server. */
const failed = once(async () => {
  const gone = await fileDisk("gone", MiB);
  const bad = await fileDisk("bad", MiB);
  const serverId = await server("broken", [{ volume_id: bad.id, system_disk: true }]);
  const [vaultId, serverVault] = [await vaultOf(gone.id), await vaultOf(serverId, "server")];
  rmSync(gone.path);
  rmSync(bad.path);
  const [alone] = await client.checkpoint(vaultId);
  const [ofServer] = await client.checkpoint(serverVault);
  return { alone, v3: await v3(alone.id), metadata: await metadataOf(alone.id), ofServer };
});

const encrypted = once(async () => {
  const cmkId = "c0ffee00-0000-4000-8000-00000000c0de";
  const volumeKey = "ab".repeat(32);
  const volumeId = await disk("secret", randomBytes(MiB), {
    metadata: { __system__encrypted: "1", __system__cmkid: cmkId, __system__volume_key: volumeKey },
  });
  const id = await volumeBackup({ volume_id: volumeId, name: "sealed", metadata: { purpose: "audit" } }, client, "3.43");
  return { cmkId, volumeKey, id, cbr: await client.backup(id), v3: await v3(id, "3.64", admin), metadata: await metadataOf(id) };
});

const ofSnapshot = once(async () => {
  const volumeId = await disk("snapped");
  const { snapshot } = await client.volume("POST", "snapshots", { snapshot: { volume_id: volumeId, name: "frozen" } });
  const shown = await client.until("snapshot", async () => {
    const now = (await client.volume("GET", `snapshots/${snapshot.id}`)).snapshot;
    return now.status === "available" ? now : undefined;
  });
  const frozen = randomBytes(64);
  await client.write(volumeId, 16 * MiB, frozen, GiB);
  const id = await volumeBackup({ volume_id: volumeId, snapshot_id: snapshot.id, name: "of-snapshot" });
  const kept = await client.read(`backups/${id}/data`, 16 * MiB, 64);
  assert.notDeepEqual(Buffer.from(kept), frozen, "the backup holds the snapshot's bytes, not the volume's");
  return { snapshot: shown, id, cbr: await client.backup(id), v3: await v3(id), metadata: await metadataOf(id) };
});

const text = once(async () => {
  const id = await volumeBackup({ volume_id: await disk("text", plain(4 * MiB)), name: "text" });
  return { v3: await v3(id), metadata: await metadataOf(id) };
});

/** Another installation: other project, node, zone. */
const elsewhere = once(async () => {
  const other = await startService({ dataPath: join(folder, "elsewhere"), dev: false, args: ["--zone", "az-b", "--region", "Elsewhere"] });
  try {
    const there = await Client.login(other.baseUrl, "demo", other.printed.demoPassword, other.printed.projectId);
    const id = await volumeBackup({ volume_id: await disk("away", randomBytes(MiB), {}, there), name: "away" }, there);
    return { cbr: await there.backup(id), v3: await v3(id, undefined, there), v2: await v2(id, there), metadata: await metadataOf(id, there) };
  } finally {
    await other.stop();
  }
});

/** Every status that a backup was seen in while it was made, restored and deleted. */
const life = once(async () => {
  // More work than the runner takes at a time, so that the last one waits.
  const before = await Promise.all([1, 2, 3].map((n) => fileDisk(`queue-${n}`, 128 * MiB)));
  const vaults = await Promise.all(before.map((one) => vaultOf(one.id)));
  const points = [];
  for (const vaultId of vaults) points.push((await client.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId } })).checkpoint);
  const last = points.at(-1);
  const { backups } = await client.cbr("GET", `backups?checkpoint_id=${last.id}`);
  const { id } = backups[0];
  const seen = { cbr: new Set<string>(), v3: new Set<string>(), progress: new Set<number>(), metadataProgress: new Set<string>() };
  // Looked at as often as the service answers: each state is passed through, however short.
  const look = async (): Promise<string | undefined> => {
    const answer = await client.call("GET", `/v3/${client.projectId}/backups/${id}`);
    if (answer.status === 404) return "gone";
    seen.cbr.add(answer.body.backup.status);
    seen.progress.add(answer.body.backup.extend_info.progress);
    const block = await client.call("GET", `/volume/v3/${client.projectId}/backups/${id}`);
    if (block.status === 200) seen.v3.add(block.body.backup.status);
    const vbs = await client.call("GET", `/volume/v2/${client.projectId}/backups/${id}`);
    if (vbs.status === 200) seen.metadataProgress.add(JSON.parse(vbs.body.backup.service_metadata).progress);
    return answer.body.backup.status;
  };
  await client.until("available", async () => ((await look()) === "available" ? true : undefined), 60, 1);
  await client.cbr("POST", `backups/${id}/restore`, { restore: { volume_id: await client.newVolume("target") } });
  await client.until("restored", async () => ((await look()) === "available" ? true : undefined), 60, 1);
  // The runner is busy when the deletion is asked for, so that it waits long enough to be seen.
  for (const vaultId of vaults.slice(0, 2)) await client.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId } });
  await client.cbr("DELETE", `backups/${id}`);
  await client.until("gone", async () => ((await look()) === "gone" ? true : undefined), 60, 1);
  return seen;
});

/** Makes a backup fail in the middle by asking for its end. */
const cancelled = once(async () => {
  const big = await fileDisk("big", 8 * MiB);
  truncateSync(big.path, 64 * GiB);
  writeFileSync(big.path, randomBytes(512 * MiB));
  const vaultId = await vaultOf(big.id);
  const { checkpoint } = await client.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId } });
  const [log] = (await client.cbr("GET", `operation-logs?vault_id=${vaultId}`)).operation_logs;
  await client.cbr("POST", `operation-logs/${log.id}/cancel`);
  const task = await client.taskEnd(log.id);
  const [backup] = (await client.cbr("GET", `backups?checkpoint_id=${checkpoint.id}`)).backups;
  return { task, backup, v3: await v3(backup.id) };
});

interface Seen {
  before: unknown;
  after: unknown;
}
/** Field → how the fact changes. `before` and `after` are what the field said; they must differ, and be what the fact demands. */
const scenarios: Record<string, () => Promise<Seen>> = {
  "cbr id": () => between((t) => t.cbr.id),
  "cbr name": () => between((t) => t.cbr.name, "one", "two"),
  "cbr description": () => between((t) => t.cbr.description, "before", "after"),
  "cbr status": async () => {
    const seen = await life();
    for (const status of ["waiting_protect", "protecting", "available", "restoring"])
      assert.ok(seen.cbr.has(status), `${status} not among ${[...seen.cbr].join()}`);
    assert.ok(seen.cbr.has("waiting_delete") || seen.cbr.has("deleting"), [...seen.cbr].join());
    return { before: (await twice()).first.cbr.status, after: (await cancelled()).backup.status };
  },
  "cbr incremental": () => between((t) => t.cbr.incremental, false, true),
  "cbr extend_info.incremental": () => between((t) => t.cbr.extend_info.incremental, false, true),
  "cbr resource_id": async () => ({ before: (await twice()).first.cbr.resource_id, after: (await servers()).ofWhole.resource_id }),
  "cbr resource_name": () => between((t) => t.cbr.resource_name, "alpha", "beta"),
  "cbr resource_type": async () => ({ before: (await twice()).first.cbr.resource_type, after: (await servers()).ofWhole.resource_type }),
  "cbr resource_size": () => between((t) => t.cbr.resource_size, 1, 2),
  "cbr resource_az": async () => {
    const far = await fileDisk("far", MiB, { availability_zone: "az-far" });
    const [backup] = await client.checkpoint(await vaultOf(far.id));
    assert.equal(backup.resource_az, "az-far");
    return { before: (await twice()).first.cbr.resource_az, after: backup.resource_az };
  },
  "cbr provider_id": async () => {
    const { ofWhole } = await servers();
    assert.equal(ofWhole.provider_id, "0daac4c5-6707-4851-97ba-169e36266b66");
    assert.equal(ofWhole.children[0].provider_id, ofWhole.provider_id);
    return { before: (await twice()).first.cbr.provider_id, after: ofWhole.provider_id };
  },
  "cbr project_id": async () => ({ before: (await twice()).first.cbr.project_id, after: (await elsewhere()).cbr.project_id }),
  "cbr enterprise_project_id": async () => {
    const volumeId = await disk("enterprise");
    const { vault } = await client.cbr("POST", "vaults", {
      vault: {
        name: "enterprise",
        enterprise_project_id: "e0000000-0000-4000-8000-000000000001",
        resources: [{ id: volumeId, type: "OS::Cinder::Volume" }],
        billing: { size: 100, object_type: "disk", protect_type: "backup", consistent_level: "crash_consistent" },
      },
    });
    const [backup] = await client.checkpoint(vault.id);
    assert.equal(backup.enterprise_project_id, "e0000000-0000-4000-8000-000000000001");
    return { before: (await twice()).first.cbr.enterprise_project_id, after: backup.enterprise_project_id };
  },
  "cbr vault_id": async () => ({ before: (await twice()).first.cbr.vault_id, after: (await servers()).ofWhole.vault_id }),
  "cbr checkpoint_id": () => between((t) => t.cbr.checkpoint_id),
  "cbr parent_id": async () => {
    const { ofWhole } = await servers();
    assert.equal(ofWhole.children[0].parent_id, ofWhole.id);
    return { before: ofWhole.parent_id, after: ofWhole.children[0].parent_id };
  },
  "cbr children": async () => {
    const { ofWhole, root, data } = await servers();
    assert.deepEqual(
      ofWhole.children.map((child: any) => child.resource_id),
      [root, data],
    );
    return { before: (await twice()).first.cbr.children, after: ofWhole.children };
  },
  "cbr created_at": () => between((t) => t.cbr.created_at),
  "cbr updated_at": () => between((t) => t.cbr.updated_at),
  "cbr protected_at": () => between((t) => t.cbr.protected_at),
  "cbr expired_at": async () => {
    const { first, second } = await twice();
    assert.equal(first.cbr.expired_at, null);
    assert.equal(Date.parse(`${second.cbr.expired_at}Z`) - Date.parse(`${second.cbr.created_at}Z`), 7 * 86_400_000);
    return { before: first.cbr.expired_at, after: second.cbr.expired_at };
  },
  "cbr extend_info.auto_trigger": () => between((t) => t.cbr.extend_info.auto_trigger, false, true),
  "cbr extend_info.bootable": () => between((t) => t.cbr.extend_info.bootable, false, true),
  "cbr extend_info.system_disk": async () => {
    const { children } = (await servers()).ofWhole;
    return { before: children[1].extend_info.system_disk, after: children[0].extend_info.system_disk };
  },
  "cbr extend_info.contain_system_disk": async () => {
    const { ofWhole, ofParts } = await servers();
    assert.equal(ofWhole.extend_info.contain_system_disk, true);
    return { before: ofParts.extend_info.contain_system_disk, after: ofWhole.extend_info.contain_system_disk };
  },
  "cbr extend_info.encrypted": async () => ({
    before: (await twice()).first.cbr.extend_info.encrypted,
    after: (await encrypted()).cbr.extend_info.encrypted,
  }),
  "cbr extend_info.snapshot_id": async () => {
    const { snapshot, cbr } = await ofSnapshot();
    assert.equal(cbr.extend_info.snapshot_id, snapshot.id);
    return { before: (await encrypted()).cbr.extend_info.snapshot_id, after: cbr.extend_info.snapshot_id };
  },
  "cbr extend_info.support_lld": async () => {
    const { first, volumeId } = await twice();
    assert.equal((await client.read(`backups/${first.cbr.id}/data`, 16 * MiB, 4096)).length, 4096, volumeId);
    const refused = await client.call("GET", `/opencbr/v1/${client.projectId}/backups/${(await failed()).alone.id}/data`, undefined, {
      range: "bytes=0-9",
    });
    assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status}`);
    return { before: (await failed()).alone.extend_info.support_lld, after: first.cbr.extend_info.support_lld };
  },
  "cbr extend_info.supported_restore_mode": async () => {
    const mode = (await servers()).ofWhole.extend_info.supported_restore_mode;
    assert.equal(mode, "backup");
    return { before: (await failed()).ofServer.extend_info.supported_restore_mode, after: mode };
  },
  "cbr extend_info.architecture": async () => {
    const { ofWhole, ofParts } = await servers();
    assert.equal(ofWhole.extend_info.architecture, "x86_64");
    return { before: ofParts.extend_info.architecture, after: ofWhole.extend_info.architecture };
  },
  "cbr extend_info.progress": async () => {
    assert.equal((await twice()).first.cbr.extend_info.progress, 100);
    assert.equal((await servers()).ofWhole.extend_info.progress, null);
    return { before: [...(await life()).progress].find((percent) => percent < 100), after: (await twice()).first.cbr.extend_info.progress };
  },

  "v3 id": () => between((t) => t.v3.id),
  "v3 status": async () => {
    const seen = await life();
    for (const status of ["creating", "available", "restoring"]) assert.ok(seen.v3.has(status), `${status} not among ${[...seen.v3].join()}`);
    return { before: (await twice()).first.v3.status, after: (await failed()).v3.status };
  },
  "v3 name": () => between((t) => t.v3.name, "one", "two"),
  "v3 description": () => between((t) => t.v3.description, "before", "after"),
  "v3 links": async () => {
    const { first } = await twice();
    const [self, bookmark] = first.v3.links;
    assert.deepEqual(self, { rel: "self", href: `${service.baseUrl}/volume/v3/${client.projectId}/backups/${first.v3.id}` });
    assert.deepEqual(bookmark, { rel: "bookmark", href: `${service.baseUrl}/volume/${client.projectId}/backups/${first.v3.id}` });
    return { before: first.v3.links, after: first.v2.links };
  },
  "v3 availability_zone": async () => ({ before: (await twice()).first.v3.availability_zone, after: (await elsewhere()).v3.availability_zone }),
  "v3 volume_id": async () => ({ before: (await twice()).first.v3.volume_id, after: (await ofSnapshot()).v3.volume_id }),
  "v3 fail_reason": async () => {
    assert.match((await cancelled()).v3.fail_reason, /cancel/i);
    assert.ok(!(await failed()).v3.fail_reason.includes(folder), "no path of the host is shown");
    return { before: (await twice()).first.v3.fail_reason, after: (await failed()).v3.fail_reason };
  },
  "v3 size": () => between((t) => t.v3.size, 1, 2),
  "v3 object_count": () => between((t) => t.v3.object_count, 1, 2),
  "v3 container": async () => ({ before: (await twice()).first.v3.container, after: (await elsewhere()).v3.container }),
  "v3 created_at": () => between((t) => t.v3.created_at),
  "v3 updated_at": () => between((t) => t.v3.updated_at),
  "v3 data_timestamp": async () => {
    const { snapshot, v3: shown } = await ofSnapshot();
    assert.equal(shown.data_timestamp, snapshot.created_at);
    return { before: shown.created_at, after: shown.data_timestamp };
  },
  "v3 snapshot_id": async () => ({ before: (await encrypted()).v3.snapshot_id, after: (await ofSnapshot()).v3.snapshot_id }),
  "v3 is_incremental": () => between((t) => t.v3.is_incremental, false, true),
  "v3 has_dependent_backups": async () => {
    const volumeId = await disk("dependents");
    const base = await volumeBackup({ volume_id: volumeId });
    assert.equal((await v3(base)).has_dependent_backups, false);
    const dependent = await volumeBackup({ volume_id: volumeId, incremental: true });
    const during = (await v3(base)).has_dependent_backups;
    await client.volume("DELETE", `backups/${dependent}`);
    await client.until("deletion", async () =>
      (await client.call("GET", `/volume/v3/${client.projectId}/backups/${dependent}`)).status === 404 ? true : undefined,
    );
    return { before: during, after: (await v3(base)).has_dependent_backups };
  },
  "v3 os-backup-project-attr:project_id": async () => {
    const { first } = await twice();
    const shown = (await v3(first.v3.id, "3.18", admin))["os-backup-project-attr:project_id"];
    assert.equal(shown, client.projectId);
    return { before: (await v3(first.v3.id, "3.17", admin))["os-backup-project-attr:project_id"], after: shown };
  },
  "v3 metadata": async () => {
    assert.deepEqual((await encrypted()).v3.metadata, { purpose: "audit" });
    return { before: (await v3((await twice()).first.v3.id, "3.43")).metadata, after: (await encrypted()).v3.metadata };
  },
  "v3 user_id": async () => {
    const byAdmin = await volumeBackup({ volume_id: await disk("by-admin", randomBytes(MiB), {}, admin), name: "by-admin" }, admin);
    return { before: (await encrypted()).v3.user_id, after: (await v3(byAdmin, "3.56", admin)).user_id };
  },
  "v3 encryption_key_id": async () => {
    assert.equal((await encrypted()).v3.encryption_key_id, (await encrypted()).cmkId);
    return { before: (await v3((await twice()).first.v3.id, "3.64", admin)).encryption_key_id, after: (await encrypted()).v3.encryption_key_id };
  },

  "v2 os-bak-tenant-attr:tenant_id": async () => ({
    before: (await twice()).first.v2["os-bak-tenant-attr:tenant_id"],
    after: (await elsewhere()).v2["os-bak-tenant-attr:tenant_id"],
  }),
  "v2 service_metadata.DL": async () => {
    assert.equal((await text()).metadata.DL, 3);
    return { before: (await twice()).first.metadata.DL, after: (await text()).metadata.DL };
  },
  "v2 service_metadata.VK": async () => {
    assert.equal((await encrypted()).metadata.VK, (await encrypted()).volumeKey);
    return { before: (await twice()).first.metadata.VK, after: (await encrypted()).metadata.VK };
  },
  "cbr image_type": async () => {
    const { replica } = await replicated();
    assert.equal(replica.image_type, "replication");
    return { before: (await twice()).first.cbr.image_type, after: replica.image_type };
  },
  "cbr replication_records": async () => {
    const { source, replica } = await replicated();
    const [record] = source.replication_records;
    assert.deepEqual([record.status, record.destination_backup_id, record.extra_info.progress], ["success", replica.id, 100]);
    return { before: (await twice()).first.cbr.replication_records, after: source.replication_records };
  },
  "v2 service_metadata.CMKID": async () => {
    assert.equal((await encrypted()).metadata.CMKID, (await encrypted()).cmkId);
    return { before: (await twice()).first.metadata.CMKID, after: (await encrypted()).metadata.CMKID };
  },
  "v2 service_metadata.bootable": () => between((t) => t.metadata.bootable, false, true),
  "v2 service_metadata.backupurl": () => between((t) => t.metadata.backupurl),
  "v2 service_metadata.SP": () => between((t) => t.metadata.SP),
  "v2 service_metadata.BP": async () => ({ before: (await twice()).first.metadata.BP, after: (await elsewhere()).metadata.BP }),
  "v2 service_metadata.SS": async () => {
    assert.ok((await text()).metadata.SS > 90, "text that repeats needs less than a tenth of its size");
    return { before: (await twice()).first.metadata.SS, after: (await text()).metadata.SS };
  },
  "v2 service_metadata.ST": async () => {
    const child = await metadataOf((await servers()).ofWhole.children[0].id);
    assert.equal(child.ST, 1);
    return { before: (await twice()).first.metadata.ST, after: child.ST };
  },
  "v2 service_metadata.VMID": async () => {
    const child = await metadataOf((await servers()).ofWhole.children[0].id);
    assert.equal(child.VMID, (await servers()).whole);
    return { before: (await twice()).first.metadata.VMID, after: child.VMID };
  },
  "v2 service_metadata.CS": async () => {
    const { first, firstLater, second } = await twice();
    assert.equal(firstLater.metadata.CS, second.metadata.CS);
    return { before: first.metadata.CS, after: firstLater.metadata.CS };
  },
  "v2 service_metadata.VT": async () => {
    const fast = await fileDisk("fast", MiB, { volume_type: "ssd" });
    const [backup] = await client.checkpoint(await vaultOf(fast.id));
    const after = (await metadataOf(backup.id)).VT;
    assert.equal(after, "ssd");
    return { before: (await twice()).first.metadata.VT, after };
  },
  "v2 service_metadata.OMID": async () => ({ before: (await twice()).first.metadata.OMID, after: (await elsewhere()).metadata.OMID }),
  "v2 service_metadata.ebk_T_I": async () => {
    const { first, second } = await twice();
    assert.equal((await client.task(first.metadata.ebk_T_I)).extra_info.backup.backup_id, first.cbr.id);
    return { before: first.metadata.ebk_T_I, after: second.metadata.ebk_T_I };
  },
  "v2 service_metadata.AT": async () => {
    const { first } = await twice();
    assert.ok(first.metadata.AT > 0, "bytes were read in some time");
    return { before: first.metadata.AT, after: (await failed()).metadata.AT };
  },
  "v2 service_metadata.progress": async () => {
    const { first } = await twice();
    assert.equal(first.metadata.progress, "100");
    return { before: [...(await life()).metadataProgress].find((percent) => percent !== "100"), after: first.metadata.progress };
  },
  "v2 service_metadata.Type": () => between((t) => t.metadata.Type, 1, 0),
  "v2 service_metadata.BackupSize": () => between((t) => t.metadata.BackupSize),
  "v2 service_metadata.snap_id": async () => {
    const { snapshot, metadata } = await ofSnapshot();
    assert.equal(metadata.snap_id, snapshot.id.replaceAll("-", ""));
    return { before: (await encrypted()).metadata.snap_id, after: metadata.snap_id };
  },
};

/** The field on the first and on the second backup of the changed disk; what they must be, where it is known beforehand. */
async function between(field: (t: { cbr: any; v3: any; v2: any; metadata: any }) => unknown, first?: unknown, second?: unknown): Promise<Seen> {
  const story = await twice();
  const seen = { before: field(story.first), after: field(story.second) };
  if (first !== undefined) assert.deepEqual(seen, { before: first, after: second });
  return seen;
}

describe("truth table", () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "opencbr-truth-"));
    mkdirSync(join(folder, "sources"));
    service = await startService({ dataPath: join(folder, "data"), args: ["--source-roots", join(folder, "sources")] });
    client = await Client.login(service.baseUrl);
    admin = await Client.login(service.baseUrl, "admin", "opencbr-admin");
  });
  after(async () => {
    await service?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [field, scenario] of Object.entries(scenarios)) {
    test(field, async () => {
      const seen = await scenario();
      assert.notDeepEqual(seen.before, seen.after);
    });
  }

  for (const [field, value] of Object.entries(withoutCause)) {
    test(`${field}: nothing can cause another value yet`, async () => {
      const { first } = await twice();
      const shown: any = field.startsWith("v2") ? first.metadata : first.cbr;
      const key = field.slice(field.indexOf(" ") + 1).replace("service_metadata.", "");
      assert.deepEqual(key.startsWith("extend_info.") ? shown.extend_info[key.slice(12)] : shown[key], value);
    });
  }

  test("every documented field has a scenario", () => {
    const documented = [...cbrFields, ...v3Fields, ...v2Fields];
    const covered = new Set([...Object.keys(scenarios), ...Object.keys(withoutCause)]);
    assert.deepEqual(
      documented.filter((field) => !covered.has(field)),
      [],
    );
    assert.equal(covered.size, documented.length);
  });

  test("the answers have every documented field and no other", async () => {
    const { first } = await twice();
    const names = [
      ...Object.keys(first.cbr).filter((key) => key !== "extend_info"),
      ...Object.keys(first.cbr.extend_info).map((key) => `extend_info.${key}`),
    ];
    assert.deepEqual(names.map((name) => `cbr ${name}`).toSorted(), cbrFields.toSorted());
  });
});
