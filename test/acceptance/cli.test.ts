/** The client commands against a real service: what a person at a terminal and a script with `--json` get. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCommand, type Service, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
let folder: string;
let service: Service;

/** Runs a command with `--json` and gives its answer. */
// oxlint-disable-next-line typescript/no-explicit-any -- a black-box test looks into answers of any shape
const json = (...args: string[]): Promise<any> => jsonAs({}, ...args);

/** The same as somebody else. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
async function jsonAs(env: Record<string, string>, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await runCommand([...args, "--json", "--endpoint", service.baseUrl], env);
  assert.equal(code, 0, `opencbr ${args.join(" ")}: ${stderr}`);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

/** A raw image of `sizeBytes` with data at the places, holes elsewhere. */
function rawImage(name: string, sizeBytes: number, pieces: { at: number; bytes: Uint8Array }[]): string {
  const path = join(folder, name);
  const file = openSync(path, "w");
  for (const { at, bytes } of pieces) writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
  truncateSync(path, sizeBytes);
  return path;
}

/** Fails unless two files have the same bytes. */
function assertSame(path: string, other: string): void {
  const { status, stdout, stderr } = spawnSync("cmp", [path, other], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-cli-"));
  service = await startService({ dataPath: join(folder, "data"), args: ["--source-roots", folder] });
});
after(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("a disk's life at the command line", () => {
  let image: string;
  let volumeId: string;
  let vaultId: string;
  let backupId: string;

  test("import sends only data; export gives the same bytes with the same holes", async () => {
    image = rawImage("disk.raw", 64 * MiB + 512, [
      { at: 0, bytes: randomBytes(MiB) },
      { at: 40 * MiB + 4096, bytes: randomBytes(3 * MiB) },
      { at: 64 * MiB, bytes: randomBytes(512) },
    ]);
    const imported = await json("volume", "import", image, "--name", "disk");
    volumeId = imported.volume.id;
    assert.equal(imported.volume.size, 1);
    assert.ok(imported.image.sent_bytes < 6 * MiB, String(imported.image.sent_bytes));
    const exported = join(folder, "exported.raw");
    const answer = await json("volume", "export", volumeId, exported);
    assert.equal(answer.size_bytes, GiB);
    assert.ok(statSync(exported).blocks * 512 < 16 * MiB);
    truncateSync(image, GiB);
    assertSame(exported, image);
    const again = await runCommand(["volume", "export", volumeId, exported, "--endpoint", service.baseUrl]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /exists already; --force/);
  });

  test("a vault, a full and an incremental backup, shown in each dialect", async () => {
    vaultId = (await json("vault", "create", "vault", "--resource", volumeId)).vault.id;
    const [first] = (await json("backup", "create", "--vault", vaultId, "--name", "first")).backups;
    assert.equal(first.status, "available");
    const [second] = (await json("backup", "create", "--vault", vaultId, "--name", "second", "--description", "d")).backups;
    backupId = second.id;
    assert.equal(second.extend_info.incremental, true);
    assert.equal((await json("backup", "show", backupId)).backup.name, "second");
    assert.equal((await json("backup", "show", backupId, "--dialect", "vbs3")).backup.is_incremental, true);
    assert.equal((await json("backup", "show", backupId, "--dialect", "vbs2")).backup["os-bak-tenant-attr:tenant_id"], first.project_id);
    const listed = (await json("backup", "list", "--vault", vaultId)).backups;
    assert.deepEqual(
      listed.map((backup: { name: string }) => backup.name),
      ["second", "first"],
    );
    const text = await runCommand(["backup", "list", "--endpoint", service.baseUrl]);
    assert.match(text.stdout, /^id +name +resource +kind +status/);
    assert.match(text.stdout, /second +disk +incremental +available/);
  });

  test("a copy in another vault, and the rest of the vault's backups after it", async () => {
    const copies = (await json("vault", "create", "copies", "--replication")).vault.id;
    const to = ["--region", "RegionOne"];
    const { replication_record: record } = await json("backup", "replicate", backupId, ...to, "--vault", copies, "--name", "copied");
    assert.equal(record.status, "success");
    assert.equal((await json("backup", "show", record.destination_backup_id)).backup.name, "copied");
    assert.equal((await json("vault", "replicate", vaultId, ...to, "--to", copies)).replication_records.length, 1);
    assert.deepEqual((await json("backup", "copies", backupId)).replication_records, [record]);
    const again = await runCommand(["backup", "replicate", backupId, ...to, "--vault", copies, "--endpoint", service.baseUrl]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /has a copy in RegionOne/);
    await json("vault", "delete", copies);
  });

  test("restore to a new volume and over the old one", async () => {
    const { volume } = await json("backup", "restore", backupId, "--new-volume", "restored");
    const exported = join(folder, "restored.raw");
    await json("volume", "export", volume.id, exported);
    assertSame(exported, image);
    assert.equal((await json("backup", "restore", backupId, "--volume", volumeId)).operation_log.status, "success");
    await json("volume", "delete", volume.id);
    const gone = await runCommand(["volume", "show", volume.id, "--endpoint", service.baseUrl]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /refused with 404/);
  });

  test("servers and files are registered; tasks are listed, shown and watched", async () => {
    const data = (await json("volume", "create", "--name", "data", "--size", "1")).volume.id;
    const server = (await json("resource", "add", "server", "--name", "srv", "--system-disk", volumeId, "--disk", data, "--architecture", "x86_64"))
      .resource;
    assert.equal((await json("resource", "show", server.id)).resource.name, "srv");
    const file = (await json("resource", "add", "file", image, "--name", "host-file")).resource;
    const ids = (await json("resource", "list")).resources.map((resource: { id: string }) => resource.id);
    for (const id of [volumeId, data, server.id, file.id]) assert.ok(ids.includes(id), id);
    await json("resource", "remove", file.id);
    const tasks = (await json("task", "list")).operation_logs;
    assert.ok(tasks.length >= 4);
    assert.equal((await json("task", "show", tasks[0].id)).operation_log.id, tasks[0].id);
    assert.equal((await json("task", "watch", tasks[0].id)).operation_logs[0].status, "success");
    assert.deepEqual((await json("task", "watch")).operation_logs, []);
  });

  test("accounts: a project, a user with a role and an access key are made, used, listed and removed", async () => {
    const asAdmin = { OS_USERNAME: "admin", OS_PASSWORD: "opencbr-admin" };
    // oxlint-disable-next-line typescript/no-explicit-any -- a black-box test looks into answers of any shape
    const admin = async (...args: string[]): Promise<any> => {
      const { code, stdout, stderr } = await runCommand([...args, "--json", "--endpoint", service.baseUrl], asAdmin);
      assert.equal(code, 0, `opencbr ${args.join(" ")}: ${stderr}`);
      return JSON.parse(stdout);
    };
    const { project } = await admin("project", "create", "eu-de_team", "--description", "a team");
    assert.ok((await admin("project", "list")).projects.some((one: { id: string }) => one.id === project.id));
    const { user, password } = await admin("user", "create", "anna", "--project", "eu-de_team");
    const asAnna = { OS_USERNAME: "anna", OS_PROJECT_NAME: "eu-de_team" };
    const vaults = (secret: string) => runCommand(["vault", "list", "--endpoint", service.baseUrl], { ...asAnna, OS_PASSWORD: secret });
    assert.equal((await vaults(password)).code, 0);
    const { password: second } = await admin("user", "password", "anna");
    assert.equal((await vaults(password)).code, 1);
    assert.equal((await vaults(second)).code, 0);
    await admin("role", "grant", "reader", "anna", "demo");
    const { role_assignments: assignments } = await admin("role", "list");
    const roles = assignments.filter((one: { user: { id: string } }) => one.user.id === user.id);
    assert.deepEqual(roles.map((one: { role: { name: string } }) => one.role.name).toSorted(), ["member", "reader"]);
    const { credential } = await admin("access-key", "create", "anna");
    assert.ok((await admin("access-key", "list")).credentials.some((one: { access: string }) => one.access === credential.access));
    await admin("access-key", "delete", credential.access);
    await admin("role", "revoke", "reader", "anna", "demo");
    await admin("user", "delete", "anna");
    await admin("project", "delete", "eu-de_team");
    const { stderr } = await runCommand(["user", "list", "--endpoint", service.baseUrl]);
    assert.match(stderr, /needs the role admin/);
  });

  test("a backup is offered to another project, which lists, accepts, restores and gives it up", async () => {
    const asAdmin = { OS_USERNAME: "admin", OS_PASSWORD: "opencbr-admin" };
    const { project } = await jsonAs(asAdmin, "project", "create", "other");
    await jsonAs(asAdmin, "role", "grant", "member", "demo", "other");
    const there = { OS_PROJECT_NAME: "other" };
    assert.equal((await json("backup", "share", backupId, project.id)).members[0].status, "pending");
    assert.equal((await jsonAs(there, "backup", "list", "--shared", "pending")).backups[0].id, backupId);
    assert.deepEqual((await jsonAs(there, "backup", "list", "--shared")).backups, []);
    const kept = (await jsonAs(there, "vault", "create", "kept")).vault.id;
    assert.equal((await jsonAs(there, "backup", "accept", backupId, "--vault", kept)).member.vault_id, kept);
    assert.equal((await jsonAs(there, "backup", "list", "--shared")).backups[0].vault_id, kept);
    assert.equal((await json("backup", "members", backupId)).members[0].status, "accepted");
    assert.equal((await jsonAs(there, "backup", "restore", backupId, "--new-volume", "theirs")).volume.status, "available");
    assert.equal((await jsonAs(there, "backup", "reject", backupId)).member.status, "rejected");
    assert.equal((await json("backup", "unshare", backupId, project.id)).unshared, backupId);
    assert.deepEqual((await json("backup", "members", backupId)).members, []);
  });

  test("vaults are changed, locked, and bind, suspend and hand over what they protect", async () => {
    const update = async (...args: string[]) => (await json("vault", "update", vaultId, ...args)).vault;
    const changed = await update("--name", "renamed", "--size", "2000", "--threshold", "70", "--no-alerts", "--auto-expand");
    const { name, billing, threshold, smn_notify: alerts, auto_expand: grows, auto_bind: binds } = changed;
    assert.deepEqual([name, billing.size, threshold, alerts, grows, binds], ["renamed", 2000, 70, false, true, false]);
    assert.deepEqual((await update("--alerts", "--no-auto-expand")).smn_notify, true);
    assert.equal((await runCommand(["vault", "update", vaultId, "--endpoint", service.baseUrl])).code, 2);
    const picky = (await json("vault", "create", "picky", "--auto-bind", "--bind-tag", "env=prod", "--bind-tag", "env=test")).vault;
    assert.deepEqual(
      picky.bind_rules.tags.map((tag: { value: string }) => tag.value),
      ["prod", "test"],
    );
    const tagged = (await json("volume", "create", "--name", "tagged", "--size", "1", "--tag", "env=test")).volume.id;
    const bound = async () =>
      (await json("vault", "show", picky.id)).vault.resources.map((each: { id: string; suspended: boolean }) => [each.id, each.suspended]);
    assert.deepEqual(await bound(), [[tagged, false]]);
    assert.deepEqual((await json("vault", "suspend", picky.id, tagged)).set_resource_ids, [tagged]);
    assert.deepEqual(await bound(), [[tagged, true]]);
    await json("vault", "resume", picky.id, tagged);
    assert.deepEqual((await json("vault", "migrate", picky.id, vaultId, tagged)).migrated_resources, [tagged]);
    assert.deepEqual(await bound(), []);
    assert.equal((await json("vault", "summary")).size, 3000);
    assert.deepEqual((await json("vault", "update", picky.id, "--no-bind-tag", "--no-auto-bind")).vault.bind_rules, {});
    assert.equal((await runCommand(["vault", "lock", picky.id, "--confirm", vaultId, "--endpoint", service.baseUrl])).code, 2);
    assert.equal((await json("vault", "lock", picky.id, "--confirm", picky.id)).vault.locked, true);
    await json("vault", "delete", picky.id);
  });

  test("policies are made, applied, changed and deleted", async () => {
    const vault = (await json("vault", "create", "by-policy")).vault.id;
    const options = "--at 02:30 --on mo,fr --timezone Europe/Berlin --keep-days 30".split(" ");
    const made = (await json("policy", "create", "nightly", ...options, "--vault", vault)).policy;
    assert.deepEqual(made.trigger.properties.pattern, ["FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=02;BYMINUTE=30"]);
    const shown = (await json("policy", "show", made.id)).policy;
    assert.equal(shown.associated_vaults[0].vault_id, vault);
    assert.match(shown.associated_vaults[0].next_run_at, /T0[01]:30:00/);
    const update = async (...args: string[]) => (await json("policy", "update", made.id, ...args)).policy;
    const changed = await update("--keep", "7", "--keep-weekly", "4", "--at", "01:00", "--every", "2");
    assert.deepEqual(changed.operation_definition, { max_backups: 7, week_backups: 4, retention_duration_days: -1, timezone: "Europe/Berlin" });
    assert.equal(changed.trigger.properties.timezone, "Europe/Berlin", "the zone stays");
    assert.deepEqual(changed.trigger.properties.pattern, ["FREQ=DAILY;INTERVAL=2;BYHOUR=01;BYMINUTE=00"]);
    assert.equal((await update("--full-every", "6", "--disable")).operation_definition.week_backups, 4, "what was not given stays");
    assert.equal((await update("--keep-forever", "--enable")).operation_definition.max_backups, undefined);
    for (const wrong of [
      ["create", "x"],
      ["create", "x", "--at", "25:00"],
      ["update", made.id],
      ["update", made.id, "--keep", "1", "--keep-days", "1"],
    ])
      assert.equal((await runCommand(["policy", ...wrong, "--endpoint", service.baseUrl])).code, 2, wrong.join(" "));
    assert.equal((await json("policy", "list", "--vault", vault)).policies.length, 1);
    await json("policy", "unbind", made.id, vault);
    assert.equal((await json("policy", "list", "--vault", vault)).policies.length, 0);
    await json("policy", "bind", made.id, vault);
    await json("policy", "delete", made.id);
    assert.deepEqual((await json("policy", "list")).policies, []);
    await json("vault", "delete", vault);
  });

  test("backups and vaults are deleted, and the command waits until they are gone", async () => {
    await json("backup", "delete", backupId);
    assert.equal((await json("backup", "list", "--vault", vaultId)).backups.length, 1);
    await json("vault", "delete", vaultId);
    assert.deepEqual((await json("vault", "list")).vaults, []);
  });

  const hasQemu = spawnSync("qemu-img", ["--version"]).status === 0;
  test("an image of another format is converted", { skip: hasQemu ? false : "qemu-img is not on this machine" }, async () => {
    const qcow2 = join(folder, "disk.qcow2");
    assert.equal(spawnSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", image, qcow2]).status, 0);
    const imported = await json("volume", "import", qcow2, "--name", "from-qcow2");
    assert.equal(imported.image.format, "qcow2");
    const exported = join(folder, "from-qcow2.raw");
    await json("volume", "export", imported.volume.id, exported);
    assertSame(exported, image);
  });
});

describe("what is refused", () => {
  const refused = async (args: string[], code: number, message: RegExp, env: Record<string, string> = {}): Promise<void> => {
    const answer = await runCommand(args, { OS_AUTH_URL: `${service.baseUrl}/v3`, ...env });
    assert.equal(answer.code, code, answer.stderr);
    assert.match(answer.stderr, message);
    assert.doesNotMatch(answer.stderr, /^ {4}at /m);
    assert.equal(answer.stdout, "");
  };
  test("each with its words and its exit code", async () => {
    await refused(["volume", "import", join(folder, "none.raw"), "--name", "x"], 1, /none\.raw does not exist/);
    await refused(["volume", "import", folder, "--name", "x"], 1, /is a folder/);
    const empty = join(folder, "empty.raw");
    writeFileSync(empty, "");
    await refused(["volume", "import", empty, "--name", "x"], 1, /is empty/);
    await refused(["volume", "create", "--name", "x", "--size", "-1"], 2, /whole number/);
    await refused(["volume", "create", "--size", "1"], 2, /--name/);
    await refused(["backup", "show", "x", "--dialect", "other"], 2, /cbr, vbs3, vbs2/);
    await refused(["backup", "restore", "x"], 2, /exactly one of/);
    await refused(["backup", "show", "2d7ce0e0-0000-4000-8000-000000000000"], 1, /refused with 404.*BackupService\.6200/);
    await refused(["volume", "list"], 1, /log in as "nobody" was refused with 401/, { OS_USERNAME: "nobody" });
    await refused(["volume", "list"], 1, /cannot be reached/, { OS_AUTH_URL: "http://127.0.0.1:1/v3" });
    await refused(["volume", "list", "--endpoint", "nowhere"], 2, /must be an http or https URL/);
    await refused(["no-such-command"], 2, /unknown command/);
  });

  test("an import that fails leaves no volume behind", async () => {
    assert.deepEqual(
      (await json("volume", "list")).volumes.filter((volume: { name: string }) => volume.name === "x"),
      [],
    );
    assert.equal(existsSync(join(folder, "none.raw")), false);
  });
});
