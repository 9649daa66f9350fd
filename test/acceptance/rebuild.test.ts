/** Everything but the store is lost: the same answers from a rebuilt catalog, the same bytes, whatever was going on when it happened. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "../support/client.ts";
import { cleanEnvironment, mainPath, runCommand, startService, type Service } from "../support/service.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-rebuild-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** As it is, holes included. */
const copySparse = (from: string, to: string): unknown => execFileSync("cp", ["-a", "--sparse=always", from, to]);

async function start(t: TestContext, dataPath: string): Promise<{ service: Service; client: Client }> {
  const service = await startService({ dataPath, args: ["--source-roots", join(dataPath, "..", "sources")] });
  t.after(() => service.kill());
  return { service, client: await Client.login(service.baseUrl) };
}

const databases = (dataPath: string, which: RegExp): string[] => readdirSync(dataPath).filter((name) => which.test(name));

/** Deletes databases with what belongs to them. */
function lose(dataPath: string, which: RegExp): void {
  const found = databases(dataPath, which);
  assert.ok(found.length > 0, "nothing to lose");
  for (const name of found) rmSync(join(dataPath, name));
}
const bothDatabases = /^(catalog|index)\.sqlite/;

async function rebuild(dataPath: string, ...more: string[]): Promise<any> {
  const { code, stdout, stderr } = await runCommand(["rebuild", "--from", join(dataPath, "store"), "--data", dataPath, "--json", ...more]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Everything that a tenant can ask for, by what was asked. */
async function answers(client: Client): Promise<Map<string, unknown>> {
  const told = new Map<string, unknown>();
  const ask = async (path: string): Promise<any> => {
    const body = await client.ok("GET", path);
    told.set(path, JSON.parse(JSON.stringify(body).replaceAll(client.baseUrl, "http://service")));
    return body;
  };
  const [cbr, v3, v2, own] = [
    `/v3/${client.projectId}`,
    `/volume/v3/${client.projectId}`,
    `/volume/v2/${client.projectId}`,
    `/opencbr/v1/${client.projectId}`,
  ];
  const { backups } = await ask(`${cbr}/backups`);
  for (const backup of backups) {
    await ask(`${cbr}/backups/${backup.id}`);
    for (const each of backup.resource_type === "OS::Nova::Server" ? (await client.backup(backup.id)).children : [backup]) {
      await ask(`${v3}/backups/${each.id}`);
      await ask(`${v2}/backups/${each.id}`);
      if (each.status === "available") await ask(`${own}/backups/${each.id}/stats`);
    }
    await ask(`${cbr}/checkpoints/${backup.checkpoint_id}`);
  }
  await ask(`${v3}/backups/detail`);
  await ask(`${v2}/backups/detail`);
  for (const { id } of (await ask(`${cbr}/vaults`)).vaults) await ask(`${cbr}/vaults/${id}`);
  await ask(`${v3}/volumes/detail`);
  await ask(`${v3}/snapshots/detail`);
  await ask(`${own}/resources`);
  return told;
}

async function blockStorageBackup(client: Client, body: Record<string, unknown>): Promise<string> {
  const { backup } = await client.volume("POST", "backups", { backup: body }, { "openstack-api-version": "volume 3.64" });
  await client.until("backup", async () => ((await client.volume("GET", `backups/${backup.id}`)).backup.status === "creating" ? undefined : true));
  return backup.id;
}

/** One of each kind: tags, a server, incrementals, a snapshot, a failure, an implicit vault, changes behind the last backup. */
async function story(client: Client, sources: string) {
  const disk = await client.newVolume("disk");
  const bytes = randomBytes(2 * MiB);
  await client.write(disk, 16 * MiB, bytes, GiB);
  const { vault } = await client.cbr("POST", "vaults", {
    vault: {
      name: "tagged",
      description: "of the story",
      resources: [{ id: disk, type: "OS::Cinder::Volume" }],
      tags: [{ key: "team", value: "storage" }],
      threshold: 70,
      backup_name_prefix: "nightly",
      billing: { size: 100, object_type: "disk", protect_type: "backup", consistent_level: "crash_consistent", cloud_type: "public" },
    },
  });
  const [first] = await client.checkpoint(vault.id, { name: "one", description: "first" });
  await client.write(disk, 900 * MiB, randomBytes(MiB), GiB);
  const [second] = await client.checkpoint(vault.id, {});
  const [root, data] = [await client.newVolume("root"), await client.newVolume("data")];
  await client.write(root, 0, randomBytes(MiB), GiB);
  const disks = [
    { volume_id: root, system_disk: true },
    { volume_id: data, system_disk: false },
  ];
  const body = { type: "OS::Nova::Server", name: "web", disks, architecture: "x86_64" };
  const server = (await client.own("POST", "resources", { resource: body })).resource.id;
  const servers = await client.newVault("servers", "server");
  await client.bind(servers, server, "OS::Nova::Server");
  const [ofServer] = await client.checkpoint(servers, {});
  const { snapshot } = await client.volume("POST", "snapshots", { snapshot: { volume_id: disk, name: "frozen", force: true } });
  await client.until("snapshot", async () =>
    (await client.volume("GET", `snapshots/${snapshot.id}`)).snapshot.status === "available" ? true : undefined,
  );
  const ofSnapshot = await blockStorageBackup(client, { volume_id: disk, snapshot_id: snapshot.id, name: "of a snapshot" });
  const ofVolume = await blockStorageBackup(client, {
    volume_id: disk,
    name: "through Block Storage",
    metadata: { a: "b" },
    incremental: true,
    force: true,
  });
  const gone = join(sources, "gone.raw");
  writeFileSync(gone, randomBytes(MiB));
  const lost = (await client.own("POST", "resources", { resource: { type: "OS::Cinder::Volume", name: "gone", path: gone } })).resource.id;
  const ofGone = await client.newVault("of-gone");
  await client.bind(ofGone, lost);
  rmSync(gone);
  const [failed] = await client.checkpoint(ofGone, {});
  assert.equal(failed.status, "error");
  const late = await client.newVolume("late");
  await client.bind(vault.id, late);
  await client.newVault("made-last");
  return { disk, bytes, first: first.id, second: second.id, ofServer: ofServer.id, ofSnapshot, ofVolume, root };
}

test("catalog and index are lost: a rebuild gives the same answers in every dialect, with the same ids", { timeout: 300_000 }, async (t) => {
  const folder = newFolder(t);
  mkdirSync(join(folder, "sources"));
  const dataPath = join(folder, "data");
  const { service, client } = await start(t, dataPath);
  const told = await story(client, join(folder, "sources"));
  const before = await answers(client);
  assert.equal(await service.stop(), 0);
  const refused = await runCommand(["rebuild", "--from", join(dataPath, "store"), "--data", dataPath]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /has a catalog already/);

  lose(dataPath, bothDatabases);
  const elsewhere = join(folder, "elsewhere");
  copySparse(dataPath, elsewhere);
  const report = await rebuild(dataPath);
  assert.deepEqual(report.unreadable, []);
  assert.equal(report.backups, 6);
  const again = await start(t, dataPath);
  assert.match(again.service.lines.join("\n"), /This is the first start/);
  const after = await answers(again.client);
  assert.deepEqual([...after.keys()], [...before.keys()]);
  for (const [path, body] of before) assert.deepEqual(after.get(path), body, path);
  const read = await again.client.read(`backups/${told.first}/data`, 16 * MiB, 2 * MiB);
  assert.ok(Buffer.from(read).equals(told.bytes));
  // The next backup finds what is there: it reads the changed volume and stores next to nothing.
  const vaultId = (await again.client.backup(told.first)).vault_id;
  const next = await again.client.checkpoint(vaultId, {});
  assert.deepEqual(
    next.map((backup) => backup.status),
    ["available", "available"],
  );
  await again.service.stop();

  await t.test("kill -9 at any moment of a rebuild: the next one ends it, and the result is the same", async () => {
    let interrupted = 0;
    for (const afterMs of [0, 5, 15, 30]) {
      const flags = ["rebuild", "--from", join(elsewhere, "store"), "--data", elsewhere];
      const child = spawn(process.execPath, [mainPath, ...flags], { env: cleanEnvironment(), stdio: "ignore" });
      const exited = new Promise((resolve) => child.once("exit", resolve));
      while (!existsSync(join(elsewhere, "catalog.sqlite.rebuild")) && !existsSync(join(elsewhere, "catalog.sqlite"))) await delay(1);
      await delay(afterMs);
      child.kill("SIGKILL");
      await exited;
      if (existsSync(join(elsewhere, "catalog.sqlite"))) break;
      interrupted++;
    }
    assert.ok(interrupted > 0, "no kill came in time");
    if (!existsSync(join(elsewhere, "catalog.sqlite"))) await rebuild(elsewhere);
    const third = await start(t, elsewhere);
    const same = await answers(third.client);
    for (const [path, body] of before) assert.deepEqual(same.get(path), body, path);
    await third.service.stop();
  });
});

test("only the store and the key are left: backups in a new data folder, volumes in error", { timeout: 120_000 }, async (t) => {
  const folder = newFolder(t);
  mkdirSync(join(folder, "sources"));
  const { service, client } = await start(t, join(folder, "old"));
  const told = await story(client, join(folder, "sources"));
  const before = await client.backup(told.second);
  await service.stop();
  copySparse(join(folder, "old", "store"), join(folder, "rescued"));
  copySparse(join(folder, "old", "master.key"), join(folder, "recovery.key"));
  rmSync(join(folder, "old"), { recursive: true });
  const dataPath = join(folder, "new");
  const flags = ["rebuild", "--from", join(folder, "rescued"), "--data", dataPath];
  const noKey = await runCommand(flags);
  assert.deepEqual([noKey.code, /name the master key file with --key/.test(noKey.stderr)], [2, true], noKey.stderr);
  const { code, stderr } = await runCommand([...flags, "--key", join(folder, "recovery.key")]);
  assert.equal(code, 0, stderr);
  const again = await start(t, dataPath);
  const after = await again.client.backup(told.second);
  // A storage snapshot was a file of the data folder.
  before.extend_info.snapshot_id = null;
  assert.deepEqual(after, before);
  assert.equal((await again.client.volume("GET", `volumes/${told.disk}`)).volume.status, "error");
  const { restore } = await again.client.volume("POST", `backups/${told.first}/restore`, { restore: { name: "back" } });
  await again.client.until("restore", async () =>
    (await again.client.volume("GET", `volumes/${restore.volume_id}`)).volume.status === "available" ? true : undefined,
  );
  assert.ok(Buffer.from(await again.client.read(`volumes/${restore.volume_id}/data`, 16 * MiB, 2 * MiB)).equals(told.bytes));
});

test("databases deleted at random points of a run: the same listing after a rebuild, and bit-exact restores", { timeout: 300_000 }, async (t) => {
  const folder = newFolder(t);
  const dataPath = join(folder, "data");
  mkdirSync(join(folder, "sources"));
  let { service, client } = await start(t, dataPath);
  const volumeId = await client.newVolume("disk");
  const vaultId = await client.newVault("vault");
  await client.bind(vaultId, volumeId);
  const image = randomBytes(6 * MiB);
  const contents = new Map<string, Buffer>();
  const available = new Map<string, unknown>();
  /** With and without what SQLite keeps beside a database: a killed service leaves that. */
  const losses = [bothDatabases, /^catalog\.sqlite/, /^(catalog|index)\.sqlite$/, /^catalog\.sqlite$/, bothDatabases];
  for (const [round, which] of losses.entries()) {
    randomBytes(MiB).copy(image, Math.floor(Math.random() * 5 * MiB));
    await client.write(volumeId, 64 * MiB, image, GiB);
    const { checkpoint } = await client.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId, parameters: {} } });
    const { id } = (await client.cbr("GET", `backups?checkpoint_id=${checkpoint.id}`)).backups[0];
    contents.set(id, Buffer.from(image));
    const stopAtMs = round === 0 ? 60_000 : Math.random() * 400;
    const startedMs = performance.now();
    do {
      const backup = await client.backup(id);
      if (backup.status === "available") available.set(id, backup);
      if (round === 0 && backup.status === "available") break;
      await delay(5);
    } while (performance.now() - startedMs < stopAtMs);
    await service.kill();
    lose(dataPath, which);
    const report = await rebuild(dataPath);
    assert.deepEqual(report.unreadable, []);
    ({ service, client } = await start(t, dataPath));
    const { backups } = await client.cbr("GET", "backups");
    for (const [known, body] of available) {
      const shown = await client.backup(known);
      assert.deepEqual({ ...shown, extend_info: { ...shown.extend_info, snapshot_id: null } }, noSnapshot(body), `round ${round}`);
    }
    for (const backup of backups) {
      assert.ok(contents.has(backup.id), `round ${round}: ${backup.id} was never made`);
      if (backup.status !== "available") continue;
      available.set(backup.id, await client.backup(backup.id));
      const read = await client.read(`backups/${backup.id}/data`, 64 * MiB, 6 * MiB);
      assert.ok(Buffer.from(read).equals(contents.get(backup.id)!), `round ${round}: ${backup.id} differs`);
    }
    const { volume } = await client.volume("GET", `volumes/${volumeId}`);
    assert.equal(volume.status, "available");
    assert.deepEqual(
      (await client.cbr("GET", `vaults/${vaultId}`)).vault.resources.map((one: any) => one.id),
      [volumeId],
    );
  }
  const { restore } = await client.volume("POST", `backups/${[...available.keys()][0]}/restore`, { restore: { name: "proof" } });
  await client.until("restore", async () =>
    (await client.volume("GET", `volumes/${restore.volume_id}`)).volume.status === "available" ? true : undefined,
  );
  const read = await client.read(`volumes/${restore.volume_id}/data`, 64 * MiB, 6 * MiB);
  assert.ok(Buffer.from(read).equals(contents.get([...available.keys()][0]!)!));
});

/** Which backup keeps a storage snapshot changes with every later one. */
const noSnapshot = (backup: any): unknown => ({ ...backup, extend_info: { ...backup.extend_info, snapshot_id: null } });

test("a rebuild that could do harm is refused in one sentence, and changes nothing", { timeout: 120_000 }, async (t) => {
  const folder = newFolder(t);
  const dataPath = join(folder, "data");
  const { service, client } = await start(t, dataPath);
  const vaultId = await client.newVault("vault");
  assert.ok(vaultId);
  const refused = async (says: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await runCommand(["rebuild", ...args]);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, says);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  };
  const store = join(dataPath, "store");
  const other = join(folder, "other");
  renameSync(join(dataPath, "catalog.sqlite"), join(folder, "catalog.sqlite"));
  await refused(/in use by another OpenCBR process/, "--from", store, "--data", dataPath);
  renameSync(join(folder, "catalog.sqlite"), join(dataPath, "catalog.sqlite"));
  await service.stop();
  await refused(/belongs to the data folder .*, which has its catalog/, "--from", store, "--data", other, "--key", join(dataPath, "master.key"));
  await refused(/is a data folder; the store is/, "--from", dataPath, "--data", other);
  await refused(/is not a store/, "--from", folder, "--data", other);
  lose(dataPath, bothDatabases);
  const wrong = join(folder, "wrong.key");
  writeFileSync(wrong, `opencbr-master-key-v1\n${"ab".repeat(32)}\n`, { mode: 0o600 });
  await refused(/is another key than/, "--from", store, "--data", dataPath, "--key", wrong);
  await refused(/not that of repository/, "--from", store, "--data", join(folder, "third"), "--key", wrong);
  for (const name of ["catalog.sqlite", "master.key", "store"]) assert.equal(existsSync(join(folder, "third", name)), false, name);
  mkdirSync(join(other, "store", "objects"), { recursive: true });
  await refused(/is another store than/, "--from", store, "--data", other, "--key", join(dataPath, "master.key"));
  assert.equal((await rebuild(dataPath)).projects, 1);
});
