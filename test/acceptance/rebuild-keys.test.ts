/** The master key leaves the data folder as text and comes back, is exchanged, and a project's key is destroyed. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Client, devProjectId } from "../support/client.ts";
import { runCommand, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

test("export, import, rotate and destroy", { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-keys-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const dataPath = join(folder, "data");
  const data = ["--data", dataPath];
  const keyFile = join(dataPath, "master.key");
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const refused = async (says: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await runCommand(args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, says);
  };
  let service = await startService({ dataPath });
  t.after(() => service.kill());
  let client = await Client.login(service.baseUrl);
  const volumeId = await client.newVolume("disk");
  const bytes = randomBytes(MiB);
  await client.write(volumeId, 8 * MiB, bytes, GiB);
  const vaultId = await client.newVault("vault");
  await client.bind(vaultId, volumeId);
  const [backup] = await client.checkpoint(vaultId, {});
  await refused(/in use by another OpenCBR process/, "key", "rotate", ...data);
  assert.equal(await service.stop(), 0);

  const printed = await ok("key", "export", ...data);
  assert.match(printed, /^opencbr-recovery-key-v1\n1 {2}/);
  const exported = join(folder, "recovery.txt");
  await ok("key", "export", ...data, "--to", exported);
  assert.equal(readFileSync(exported, "utf8"), printed);
  assert.equal(statSync(exported).mode & 0o777, 0o600);
  await refused(/exists/, "key", "export", ...data, "--to", exported);
  const before = readFileSync(keyFile, "utf8");
  rmSync(keyFile);
  const mistyped = join(folder, "mistyped.txt");
  const row = /^2 {2}(.)/m.exec(printed)![1]!;
  writeFileSync(mistyped, printed.replace(/^2 {2}./m, `2  ${row === "7" ? "8" : "7"}`));
  await refused(/mistyped in row 2/, "key", "import", ...data, "--from", mistyped);
  await ok("key", "import", ...data, "--from", exported);
  assert.equal(readFileSync(keyFile, "utf8"), before);
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);

  const { rotation } = JSON.parse(await ok("key", "rotate", ...data, "--json"));
  assert.deepEqual(rotation, { resumed: false, projects: 1 });
  assert.notEqual(readFileSync(keyFile, "utf8"), before);
  await refused(/is another key|not that of repository/, "key", "import", ...data, "--from", exported);
  const old = join(folder, "old.key");
  writeFileSync(old, before, { mode: 0o600 });
  const store = join(dataPath, "store");
  await refused(/not that of repository/, "restore", "--offline", "--store", store, "--key", old, "--list");
  service = await startService({ dataPath });
  client = await Client.login(service.baseUrl);
  const read = await client.read(`backups/${backup.id}/data`, 8 * MiB, MiB);
  assert.ok(Buffer.from(read).equals(bytes));
  const [later] = await client.checkpoint(vaultId, {});
  assert.deepEqual([later.status, later.incremental], ["available", true]);
  await service.stop();

  const destroy = ["key", "destroy", ...data, "--project", devProjectId, "--confirm"];
  await refused(/nothing was changed/, ...destroy, "0".repeat(32));
  const setLocked = (locked: 0 | 1): void => {
    const catalog = new DatabaseSync(join(dataPath, "catalog.sqlite"));
    catalog.exec(`update vaults set locked = ${locked}; delete from row_sums`);
    catalog.close();
  };
  setLocked(1);
  await refused(/locked vaults keep backups .*: vault; nothing was changed/, ...destroy, devProjectId);
  setLocked(0);
  const { destroyed } = JSON.parse(await ok(...destroy, devProjectId, "--json"));
  assert.deepEqual(destroyed, { project: devProjectId, backups: 2 });
  const { backups } = JSON.parse(await ok("restore", "--offline", "--store", store, "--list", "--json"));
  assert.deepEqual(
    backups.map((each: { status: string }) => each.status),
    ["key destroyed", "key destroyed"],
  );
  await refused(/key of its project was destroyed/, "restore", "--offline", "--store", store, "--backup", backup.id, "--to", join(folder, "never"));
  service = await startService({ dataPath });
  client = await Client.login(service.baseUrl);
  const shown = (await client.volume("GET", `backups/${backup.id}`)).backup;
  assert.deepEqual([shown.status, /key was destroyed/.test(shown.fail_reason)], ["error", true]);
  assert.equal((await client.call("POST", `/volume/v3/${devProjectId}/backups/${backup.id}/restore`, { restore: { name: "no" } })).status, 400);
  const [never] = await client.checkpoint(vaultId, {});
  assert.equal(never.status, "error");
  assert.match((await client.volume("GET", `backups/${never.id}`)).backup.fail_reason, /key was destroyed/);
  await service.stop();
  renameSync(join(dataPath, "catalog.sqlite"), join(folder, "catalog.sqlite"));
  const report = JSON.parse(await ok("rebuild", "--from", store, ...data, "--json"));
  assert.equal(report.backups, 0);
  assert.match(report.unreadable[0].reason, /destroyed/);
});
