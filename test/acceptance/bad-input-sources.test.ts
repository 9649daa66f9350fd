/** Source files that are missing, unreadable, no files, outside the roots, shrinking or growing: over HTTP and at the command line. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertErrorShape } from "../support/error-shape.ts";
import { Client } from "../support/client.ts";
import { runCommand, type Service, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
let folder: string;
let roots: string;
let service: Service;
let client: Client;
let vaultId: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-sources-"));
  roots = join(folder, "roots");
  mkdirSync(roots);
  service = await startService({ dataPath: join(folder, "data"), args: ["--source-roots", roots, "--lanes", "1", "--compression-level", "15"] });
  client = await Client.login(service.baseUrl);
  vaultId = await client.newVault("vault");
});
after(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const below = (name: string): string => join(roots, name);
const register = (path: unknown) =>
  client.call("POST", `/opencbr/v1/${client.projectId}/resources`, { resource: { type: "OS::Cinder::Volume", name: "disk", path } });

/** A file of the roots, registered as a volume and bound to the vault. */
async function disk(name: string, content: Uint8Array): Promise<{ id: string; path: string }> {
  const path = below(name);
  writeFileSync(path, content);
  const { resource } = await client.own("POST", "resources", { resource: { type: "OS::Cinder::Volume", name, path } });
  await client.bind(vaultId, resource.id);
  return { id: resource.id, path };
}

/** Backs up one volume to its end; when that fails, the volume must be free again and the task must say the same as the backup. */
async function backUp(volumeId: string): Promise<{ status: string; reason: string | null; id: string; warnings: unknown }> {
  const { backup } = await client.volume("POST", "backups", { backup: { volume_id: volumeId, incremental: false } });
  const shown = await client.until("the backup", async () => {
    const now = (await client.volume("GET", `backups/${backup.id}`)).backup;
    return now.status === "creating" ? undefined : now;
  });
  const { operation_logs: tasks } = await client.cbr("GET", "operation-logs?operation_type=backup");
  const task = tasks.find((one: { extra_info: { backup?: { backup_id: string } } }) => one.extra_info.backup?.backup_id === backup.id);
  assert.equal(task.status, shown.status === "available" ? "success" : "failed");
  if (shown.status !== "available") assert.equal(task.error_info.message, shown.fail_reason);
  assert.equal((await client.volume("GET", `volumes/${volumeId}`)).volume.status, "available");
  return { status: shown.status, reason: shown.fail_reason, id: backup.id, warnings: task.extra_info };
}

describe("registering a file that cannot be one", () => {
  test("each is told by the field path, and nothing is registered", async () => {
    mkdirSync(below("a-folder"));
    writeFileSync(join(folder, "outside.raw"), "secret");
    symlinkSync(join(folder, "outside.raw"), below("leads-out"));
    symlinkSync(below("nowhere"), below("dangling"));
    symlinkSync(below("loop-b"), below("loop-a"));
    symlinkSync(below("loop-a"), below("loop-b"));
    execFileSync("mkfifo", [below("a-pipe")]);
    const socket = createServer().listen(below("a-socket"));
    const count = (await client.own("GET", "resources")).count;
    const cases: [unknown, number, RegExp][] = [
      [below("missing"), 400, /^path: there is no such file/],
      [below("a-folder"), 400, /^path: is not a regular file/],
      [below("a-pipe"), 400, /^path: is not a regular file/],
      [below("a-socket"), 400, /^path: is not a regular file/],
      [below("dangling"), 400, /^path: there is no such file/],
      [below("loop-a"), 400, /^path: there is no such file, or it cannot be reached/],
      [below("leads-out"), 403, /^path: is not below any folder/],
      [`${roots}/../outside.raw`, 403, /^path: is not below any folder/],
      [`${roots}-beside`, 403, /^path: is not below any folder/],
      [roots, 403, /^path: is not below any folder/],
      ["/etc/passwd", 403, /^path: is not below any folder/],
      ["/etc/no-such-file", 403, /^path: is not below any folder/],
      [join(folder, "data", "master.key"), 403, /^path: is not below any folder/],
      ["relative.raw", 400, /path: must be an absolute path/],
      [`${roots}/nul\0byte`, 400, /path/],
      [`${roots}/${"x".repeat(300)}`, 400, /^path: there is no such file/],
      [`/${"x/".repeat(5000)}`, 400, /path/],
      ["", 400, /path/],
      [7, 400, /resource\.path/],
      [null, 400, /path/],
    ];
    for (const [path, status, message] of cases) {
      const { status: got, headers, body } = await register(path);
      const told = `${String(path).slice(0, 80)}: ${got} ${JSON.stringify(body)}`;
      assert.equal(got, status, told);
      assertErrorShape("opencbr", "POST", { status: got, headers: Object.fromEntries(headers), text: JSON.stringify(body) }, told);
      assert.match(body.error_msg, message, told);
    }
    assert.equal((await client.own("GET", "resources")).count, count);
    socket.close();
  });

  test("a file that may not be read", { skip: isRoot ? "root may read every file" : false }, async () => {
    writeFileSync(below("closed"), "x", { mode: 0 });
    assert.match((await register(below("closed"))).body.error_msg, /^path: the file cannot be read/);
  });

  test("without a permitted folder no file is one", async () => {
    const other = await startService({ dataPath: join(folder, "rootless") });
    try {
      const there = await Client.login(other.baseUrl);
      const answer = await there.call("POST", `/opencbr/v1/${there.projectId}/resources`, {
        resource: { type: "OS::Cinder::Volume", name: "x", path: below("missing") },
      });
      assert.equal(answer.status, 403);
    } finally {
      await other.stop();
    }
  });
});

describe("a file that changes after it was registered", () => {
  test("missing, a folder, a pipe, or leading out of the roots when it is read: the backup fails with the reason, the next one works", async () => {
    const content = randomBytes(2 * MiB);
    const spoilers: [string, (path: string) => void, RegExp][] = [
      ["missing", () => {}, /^path: there is no such file|missing/],
      ["folder", (path) => mkdirSync(path), /no longer a regular file/],
      ["pipe", (path) => execFileSync("mkfifo", [path]), /no longer a regular file/],
      ["out", (path) => symlinkSync(join(folder, "outside.raw"), path), /not below any folder/],
    ];
    for (const [name, spoil, reason] of spoilers) {
      const { id, path } = await disk(`late-${name}`, content);
      const good = await backUp(id);
      assert.equal(good.status, "available");
      rmSync(path);
      spoil(path);
      for (const what of ["data", "extents"]) {
        const answer = await client.call("GET", `/opencbr/v1/${client.projectId}/volumes/${id}/${what}`);
        assert.ok(answer.status === 400 || answer.status === 403, `${name} ${what}: ${answer.status}`);
        assert.match(answer.body.error_code, /^BackupService\.7004$/);
      }
      const failed = await backUp(id);
      assert.equal(failed.status, "error", name);
      assert.match(failed.reason ?? "", reason, name);
      assert.ok(!failed.reason?.includes(folder), `${name}: a tenant is not told paths of the host: ${failed.reason}`);
      const kept = await client.read(`backups/${good.id}/data`, 0, 2 * MiB);
      assert.ok(Buffer.from(kept).equals(content), name);
      rmSync(path, { recursive: true, force: true });
      writeFileSync(path, content);
      assert.equal((await backUp(id)).status, "available", name);
    }
  });

  test("unreadable when it is read", { skip: isRoot ? "root may read every file" : false }, async () => {
    const { id, path } = await disk("late-closed", randomBytes(MiB));
    chmodSync(path, 0);
    assert.match((await backUp(id)).reason ?? "", /could not be read/);
  });

  test("empty when it is read: a backup of nothing, or a reason", async () => {
    const { id, path } = await disk("late-empty", randomBytes(MiB));
    truncateSync(path, 0);
    const { status, reason } = await backUp(id);
    assert.ok(status === "available" || /shorter|empty/.test(reason ?? ""), `${status} ${reason}`);
  });

  /** Starts a backup that takes a while (slow compression in one lane) and waits until bytes of it were read. */
  async function whileRead(volumeId: string, act: () => void): Promise<{ id: string; status: string; reason: string | null }> {
    const { backup } = await client.volume("POST", "backups", { backup: { volume_id: volumeId } });
    await client.until("bytes being read", async () => {
      const { operation_logs: tasks } = await client.cbr("GET", "operation-logs?operation_type=backup&status=running");
      const task = tasks.find((one: { extra_info: { backup?: { backup_id: string } } }) => one.extra_info.backup?.backup_id === backup.id);
      return task?.extra_info.common.bytes_done > 0 ? true : undefined;
    });
    act();
    const shown = await client.until("the backup", async () => {
      const now = (await client.volume("GET", `backups/${backup.id}`)).backup;
      return now.status === "creating" ? undefined : now;
    });
    return { id: backup.id, status: shown.status, reason: shown.fail_reason };
  }
  /** Text that zstd takes long over. */
  const slow = (bytes: number): Buffer => Buffer.alloc(bytes, randomBytes(MiB + 1).toString("base64"));

  test("shorter while it is read: the backup fails and says so; the one before stays whole", async () => {
    const content = randomBytes(2 * MiB);
    const { id, path } = await disk("shrinking", content);
    const good = await backUp(id);
    // More than the engine reads ahead of its first progress.
    writeFileSync(path, slow(64 * MiB));
    const failed = await whileRead(id, () => truncateSync(path, MiB));
    assert.equal(failed.status, "error");
    assert.match(failed.reason ?? "", /shorter/);
    assert.ok(Buffer.from(await client.read(`backups/${good.id}/data`, 0, 2 * MiB)).equals(content));
    writeFileSync(path, content);
    assert.equal((await backUp(id)).status, "available");
  });

  test("longer while it is read: the backup has the size that it began with", async () => {
    const sizeOf = async (backupId: string): Promise<number> => {
      const { headers } = await client.call("HEAD", `/opencbr/v1/${client.projectId}/backups/${backupId}/data`);
      return Number(headers.get("content-length"));
    };
    const content = slow(32 * MiB);
    const { id, path } = await disk("growing", content);
    const done = await whileRead(id, () => appendFileSync(path, randomBytes(MiB)));
    assert.equal(done.status, "available");
    assert.equal(await sizeOf(done.id), 32 * MiB);
    assert.ok(Buffer.from(await client.read(`backups/${done.id}/data`, 24 * MiB, 8 * MiB)).equals(content.subarray(24 * MiB)));
    assert.equal(await sizeOf((await backUp(id)).id), 33 * MiB);
  });
});

describe("the command line", () => {
  async function refused(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCommand([...args, "--endpoint", service.baseUrl]);
    assert.ok(code === 1 || code === 2, `${args.join(" ")}: ${code} ${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, /^(opencbr|error): [^\n]+\n/, args.join(" "));
    assert.doesNotMatch(stderr, /\n\s+at |node:internal/, args.join(" "));
    return stderr;
  }

  test("images that are none; afterwards there are as many volumes as before", async () => {
    const { volumes } = await client.volume("GET", "volumes");
    const empty = join(folder, "empty.raw");
    writeFileSync(empty, "");
    const pipe = join(folder, "a-pipe");
    execFileSync("mkfifo", [pipe]);
    assert.match(await refused("volume", "import", join(folder, "missing.raw")), /missing\.raw does not exist/);
    assert.match(await refused("volume", "import", folder), /is a folder/);
    assert.match(await refused("volume", "import", pipe), /a-pipe/);
    assert.match(await refused("volume", "import", empty), /empty/);
    if (!isRoot) {
      writeFileSync(join(folder, "closed.raw"), "x", { mode: 0 });
      assert.match(await refused("volume", "import", join(folder, "closed.raw")), /closed\.raw/);
    }
    assert.match(await refused("resource", "add", "file", "/etc/passwd", "--name", "x"), /not below any folder/);
    assert.equal((await client.volume("GET", "volumes")).volumes.length, volumes.length);
  });

  test("wrong arguments, unknown ids, no service", async () => {
    const unknown = "11111111-2222-4333-8444-555555555555";
    for (const args of [
      ["backup", "show", "../../etc"],
      ["backup", "restore", unknown, "--volume", unknown],
      ["task", "show", unknown],
      ["resource", "show", unknown],
    ])
      assert.match(await refused(...args), /404|not|no /, args.join(" "));
    assert.match(await refused("volume", "create", "--size", "-5"), /whole number|size/);
    assert.match(await refused("volume", "export", unknown, join(folder, "out.raw")), /404/);
    assert.match(await refused("volume", "import"), /missing required argument/);
    assert.match(await refused("no-such-command"), /unknown command/);
    const { code, stderr } = await runCommand(["backup", "list", "--endpoint", "http://127.0.0.1:9"]);
    assert.equal(code, 1);
    assert.match(stderr, /cannot be reached .*Start it with/);
    const bad = await runCommand(["backup", "list", "--endpoint", "not a url"]);
    assert.equal(bad.code, 2);
    const wrong = await runCommand(["backup", "list", "--endpoint", service.baseUrl], { OS_PASSWORD: "wrong" });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /log in as "demo" was refused with 401/);
  });
});
