/** Backups read straight from a store: with the key and the id, and nothing else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, openSync, readFileSync, readSync, closeSync, rmSync, statSync, writeFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client, devProjectId } from "../support/client.ts";
import { runCommand, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const folder = mkdtempSync(join(tmpdir(), "opencbr-offline-"));
const dataPath = join(folder, "data");
const store = join(folder, "store");
const key = join(folder, "recovery.key");
const bytes = randomBytes(3 * MiB);
let disk: string;
let server: { id: string; children: { id: string }[] };

/** A part of a file. */
function partOf(path: string, offset: number, length: number): Buffer {
  const part = Buffer.alloc(length);
  const fd = openSync(path, "r");
  assert.equal(readSync(fd, part, 0, length, offset), length);
  closeSync(fd);
  return part;
}

const offline = (...args: string[]) => runCommand(["restore", "--offline", "--store", store, "--key", key, ...args]);

before(async () => {
  const service = await startService({ dataPath });
  const client = await Client.login(service.baseUrl);
  const volumeId = await client.newVolume("disk");
  await client.write(volumeId, 700 * MiB + 4096, bytes, GiB);
  const vaultId = await client.newVault("vault");
  await client.bind(vaultId, volumeId);
  disk = (await client.checkpoint(vaultId, { name: "the-name" }))[0].id;
  const other = await client.newVolume("other");
  const body = { type: "OS::Nova::Server", name: "web", disks: [{ volume_id: other, system_disk: true }] };
  const { resource } = await client.own("POST", "resources", { resource: body });
  const servers = await client.newVault("servers", "server");
  await client.bind(servers, resource.id, "OS::Nova::Server");
  server = (await client.checkpoint(servers, {}))[0];
  const busy = await runCommand(["restore", "--offline", "--store", join(dataPath, "store"), "--list"]);
  assert.deepEqual([busy.code, /in use by another OpenCBR process: stop it first/.test(busy.stderr)], [1, true], busy.stderr);
  assert.equal(await service.stop(), 0);
  execFileSync("cp", ["-a", join(dataPath, "store"), store]);
  execFileSync("cp", ["-a", join(dataPath, "master.key"), key]);
  rmSync(dataPath, { recursive: true });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const storeListing = (): string[] => readdirSync(store, { recursive: true, encoding: "utf8" }).sort();

test("a backup is restored bit for bit from a store that nobody may write to, holes stay holes", async () => {
  const before = storeListing();
  execFileSync("chmod", ["-R", "a-w", store]);
  const to = join(folder, "restored.raw");
  const { code, stdout, stderr } = await offline("--backup", disk, "--to", to, "--json");
  execFileSync("chmod", ["-R", "u+w", store]);
  assert.equal(code, 0, stderr);
  const { restored } = JSON.parse(stdout);
  assert.deepEqual([restored.backup, restored.size], [disk, GiB]);
  const { size, blocks } = statSync(to);
  assert.equal(size, GiB);
  assert.ok(blocks * 512 < 8 * MiB, `${blocks * 512} bytes are allocated`);
  assert.ok(partOf(to, 700 * MiB + 4096, 3 * MiB).equals(bytes));
  assert.ok(partOf(to, 700 * MiB, 4096).equals(Buffer.alloc(4096)));
  assert.deepEqual(storeListing(), before);
});

test("the list tells id, name, resource, time, size and status", async () => {
  const { code, stdout, stderr } = await offline("--list", "--json");
  assert.equal(code, 0, stderr);
  const { backups } = JSON.parse(stdout);
  assert.deepEqual(backups.map((backup: { id: string }) => backup.id).sort(), [disk, server.children[0]!.id].sort());
  const listed = backups.find((backup: { id: string }) => backup.id === disk);
  assert.match(listed.protected_at, /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(
    { name: listed.name, resource: listed.resource, size: listed.size, status: listed.status, project: listed.project },
    { name: "the-name", resource: "disk", size: GiB, status: "available", project: devProjectId },
  );
  const people = await offline("--list");
  assert.match(people.stdout, /the-name/);
});

test("a damaged backup is refused with the range; --allow-holes gives the rest, and zeros where it says", async () => {
  const damaged = join(folder, "damaged");
  execFileSync("cp", ["-a", store, damaged]);
  const packs = readdirSync(damaged, { recursive: true, encoding: "utf8" }).filter((name) => /packs\/..\/[0-9a-f]{32}$/.test(name));
  const [largest = ""] = packs.map((name) => join(damaged, name)).sort((a, b) => statSync(b).size - statSync(a).size);
  const content = readFileSync(largest);
  const at = content.length >> 1;
  content[at] = content[at]! ^ 1;
  writeFileSync(largest, content);
  const to = join(folder, "damaged.raw");
  const args = ["restore", "--offline", "--store", damaged, "--key", key, "--backup", disk, "--to", to, "--json"];
  const refused = await runCommand(args);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, new RegExp(`backup ${disk}`));
  const { code, stdout, stderr } = await runCommand([...args, "--force", "--allow-holes"]);
  assert.equal(code, 0, stderr);
  const { lost } = JSON.parse(stdout).restored;
  assert.equal(lost.length, 1);
  const [{ offset, length }] = lost;
  const expected = Buffer.alloc(4 * MiB);
  bytes.copy(expected, 4096);
  const start = 700 * MiB;
  assert.ok(offset >= start && length > 0 && offset + length <= start + 4 * MiB, JSON.stringify(lost));
  expected.fill(0, offset - start, offset - start + length);
  assert.ok(partOf(to, start, 4 * MiB).equals(expected));
});

test("what cannot be done is said in one sentence, and nothing is written", async () => {
  const to = join(folder, "never.raw");
  const cases: [string[], number, RegExp][] = [
    [["--backup", disk], 2, /--to/],
    [["--list", "--backup", disk], 2, /either --list/],
    [["--backup", "00000000-0000-4000-8000-000000000000", "--to", to], 1, /there is no backup/],
    [["--backup", "../../etc", "--to", to], 2, /not the id of a backup/],
    [["--backup", server.id, "--to", to], 1, new RegExp(`server backup.*${server.children[0]!.id}`)],
    [["--backup", disk, "--to", store], 1, /exists: --force/],
  ];
  for (const [args, code, says] of cases) {
    const ended = await offline(...args);
    assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stderr}`);
    assert.match(ended.stderr, says);
  }
  const wrong = join(folder, "wrong.key");
  writeFileSync(wrong, `opencbr-master-key-v1\n${"ab".repeat(32)}\n`, { mode: 0o600 });
  const refused = await runCommand(["restore", "--offline", "--store", store, "--key", wrong, "--backup", disk, "--to", to]);
  assert.deepEqual([refused.code, /not that of repository/.test(refused.stderr)], [1, true], refused.stderr);
  chmodSync(wrong, 0o644);
  const open = await runCommand(["restore", "--offline", "--store", store, "--key", wrong, "--list"]);
  assert.match(open.stderr, /may be used by others/);
  const none = await runCommand(["restore", "--offline", "--store", folder, "--key", key, "--list"]);
  assert.match(none.stderr, /is not a store|is a data folder/);
  assert.equal(statSync(to, { throwIfNoEntry: false }), undefined);
});
