/** Starting, stopping, and what makes a start impossible: each with one clear sentence and no stack trace. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "../support/client.ts";
import { cleanEnvironment, runCommand, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-start-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Starts, must fail with code 1, and gives the one line that it said. */
async function refusalOf(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await runCommand(["serve", "--port", "0", "--dev", "--log-level", "error", ...args], env);
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /^ {4}at /m);
  assert.match(stderr, /^opencbr: [^\n]+\n$/);
  return stderr;
}

/** Text of random letters: unlike random bytes it is worth compressing, and no chunk of it comes twice. */
const slowToCompress = (bytes: number): Uint8Array => Buffer.alloc(bytes, randomBytes(MiB + 1).toString("base64"));

function filesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe("start and stop", () => {
  test("the first start tells generated secrets once; they work, are not kept in clear, and a second start continues", async () => {
    const dataPath = join(folder, "first");
    mkdirSync(dataPath, { mode: 0o755 });
    const service = await startService({ dataPath, dev: false });
    const { printed } = service;
    assert.match(printed.projectId, /^[0-9a-f]{32}$/);
    assert.notEqual(printed.demoPassword, "opencbr-demo");
    assert.ok(printed.adminPassword.length >= 16 && printed.secretKey.length >= 32 && printed.accessKey.length >= 16);
    assert.equal(service.lines.filter((line) => line.startsWith("ready ")).length, 1);
    const client = await Client.login(service.baseUrl, "demo", printed.demoPassword, printed.projectId);
    const vaultId = await client.newVault("kept");
    assert.equal(statSync(join(dataPath, "master.key")).mode & 0o777, 0o600);
    assert.equal(await service.stop(), 0, service.errors());
    for (const file of filesBelow(dataPath)) {
      assert.equal(statSync(file).mode & 0o077, 0, `${file} may be read by others`);
      const bytes = readFileSync(file);
      for (const secret of [printed.demoPassword, printed.adminPassword, printed.secretKey])
        assert.equal(bytes.includes(secret), false, `${file} holds a secret in clear`);
    }
    assert.doesNotMatch(service.errors(), new RegExp([printed.demoPassword, printed.adminPassword, printed.secretKey].join("|")));

    const again = await startService({ dataPath, dev: false });
    try {
      assert.equal(again.printed.demoPassword, "");
      const later = await Client.login(again.baseUrl, "demo", printed.demoPassword, printed.projectId);
      assert.equal((await later.cbr("GET", `vaults/${vaultId}`)).vault.name, "kept");
    } finally {
      assert.equal(await again.stop(), 0);
    }
  });

  test("a second process on the folder is refused, the first goes on; after kill -9 the folder is free", async () => {
    const dataPath = join(folder, "locked");
    const service = await startService({ dataPath });
    try {
      assert.match(await refusalOf(["--data", dataPath]), /locked is in use by another OpenCBR process/);
      await Client.login(service.baseUrl);
    } finally {
      await service.kill();
    }
    const again = await startService({ dataPath });
    await Client.login(again.baseUrl);
    assert.equal(await again.stop(), 0);
  });

  test("a wrong, missing, damaged or widely readable master key is told, and nothing is changed", async () => {
    const dataPath = join(folder, "key");
    const service = await startService({ dataPath });
    const client = await Client.login(service.baseUrl);
    await client.newVault("any");
    await service.stop();
    const other = join(folder, "other-key");
    await (await startService({ dataPath: other })).stop();
    const keyPath = join(dataPath, "master.key");
    const key = readFileSync(keyPath);
    writeFileSync(keyPath, readFileSync(join(other, "master.key")));
    assert.match(await refusalOf(["--data", dataPath]), /master key .*master\.key is not the one that/);
    rmSync(keyPath);
    assert.match(await refusalOf(["--data", dataPath]), /master\.key is missing/);
    assert.equal(existsSync(keyPath), false);
    writeFileSync(keyPath, "not a key", { mode: 0o600 });
    assert.match(await refusalOf(["--data", dataPath]), /master\.key/);
    writeFileSync(keyPath, key, { mode: 0o600 });
    execFileSync("chmod", ["644", keyPath]);
    assert.match(await refusalOf(["--data", dataPath]), /master\.key/);
    execFileSync("chmod", ["600", keyPath]);
    const again = await startService({ dataPath });
    assert.equal((await (await Client.login(again.baseUrl)).cbr("GET", "vaults")).count, 1);
    await again.stop();
  });

  test("a data folder that is a file, below a file, or full of something else", async () => {
    const file = join(folder, "a-file");
    closeSync(openSync(file, "w"));
    assert.match(await refusalOf(["--data", file]), /a-file cannot be made/);
    assert.match(await refusalOf(["--data", join(file, "below")]), /cannot be made/);
    const foreign = join(folder, "foreign");
    await (await startService({ dataPath: foreign })).stop();
    writeFileSync(join(foreign, "catalog.sqlite"), "this is no database, whatever its name says".repeat(100));
    assert.match(await refusalOf(["--data", foreign]), /foreign cannot be used/);
  });

  test("a port that is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    assert.match(await refusalOf(["--data", join(folder, "port"), "--port", String(port)]), new RegExp(`port ${port} on 127.0.0.1 is taken`));
    server.close();
  });

  const mountable = process.getuid?.() === 0 && canMount();
  test("a read-only and a full data folder", { skip: mountable ? false : "mounting a file system needs root" }, async () => {
    const mounted = join(folder, "mounted");
    mkdirSync(mounted);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", mounted]);
    try {
      await (await startService({ dataPath: join(mounted, "data") })).stop();
      execFileSync("mount", ["-o", "remount,ro", mounted]);
      assert.match(await refusalOf(["--data", join(mounted, "data")]), /read-only/);
      execFileSync("mount", ["-o", "remount,rw", mounted]);
      spawnSync("dd", ["if=/dev/zero", `of=${join(mounted, "filler")}`, "bs=4k"]);
      assert.match(await refusalOf(["--data", join(mounted, "new")]), /full/);
      rmSync(join(mounted, "filler"));
      await (await startService({ dataPath: join(mounted, "data") })).stop();
    } finally {
      execFileSync("umount", [mounted]);
    }
  });

  test("SIGTERM lets a running backup end within the grace period; without one it is cancelled and told at the next start", async () => {
    const dataPath = join(folder, "drained");
    for (const [grace, expected] of [
      ["60", "available"],
      ["0", "error"],
    ] as const) {
      const service = await startService({ dataPath, args: ["--drain-grace-seconds", grace, "--lanes", "1", "--compression-level", "19"] });
      const client = await Client.login(service.baseUrl);
      const volumeId = await client.newVolume(`disk-${grace}`);
      await client.write(volumeId, 0, slowToCompress(24 * MiB), 1024 * MiB);
      const { backup } = await client.volume("POST", "backups", { backup: { volume_id: volumeId } });
      await client.until("the backup to run", async () => ((await client.backup(backup.id)).status === "protecting" ? true : undefined));
      assert.equal(await service.stop(), 0, service.errors());
      const again = await startService({ dataPath });
      const shown = await (await Client.login(again.baseUrl)).backup(backup.id);
      await again.stop();
      assert.equal(shown.status, expected);
    }
  });

  test("a second signal ends it at once", async () => {
    const dataPath = join(folder, "twice");
    const service = await startService({ dataPath, args: ["--lanes", "1", "--compression-level", "19", "--drain-grace-seconds", "600"] });
    const client = await Client.login(service.baseUrl);
    const volumeId = await client.newVolume("disk");
    await client.write(volumeId, 0, slowToCompress(96 * MiB), 1024 * MiB);
    const { backup } = await client.volume("POST", "backups", { backup: { volume_id: volumeId } });
    await client.until("the backup to run", async () => ((await client.backup(backup.id)).status === "protecting" ? true : undefined));
    const stopped = service.stop();
    // Two signals within a second count as one: a terminal and npm both pass on one Ctrl-C.
    process.kill(service.pid, "SIGTERM");
    await delay(1500);
    process.kill(service.pid, "SIGTERM");
    assert.equal(await stopped, 1);
    assert.match(service.errors(), /stopped at once/);
    const again = await startService({ dataPath });
    assert.equal((await (await Client.login(again.baseUrl)).backup(backup.id)).status, "error");
    await again.stop();
  });

  test("wrong settings are usage errors; an unknown variable is a warning", async () => {
    const wrong = await runCommand(["serve", "--data", join(folder, "never"), "--chunk-kib", "100"], { OPENCBR_PORT: "none" });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /OPENCBR_PORT must be a whole number.*--chunk-kib must be/);
    assert.equal(existsSync(join(folder, "never")), false);
    const service = await startService({ dataPath: join(folder, "warned"), env: { OPENCBR_PROT: "1" } });
    await service.stop();
    assert.match(service.errors(), /OPENCBR_PROT is no setting/);
  });
});

describe("the launcher", () => {
  const launcher = fileURLToPath(new URL("../../bin/opencbr.mjs", import.meta.url));
  test("runs under this Node", () => {
    const { status, stdout } = spawnSync(process.execPath, [launcher, "--help"], { encoding: "utf8", env: cleanEnvironment() });
    assert.equal(status, 0);
    for (const command of ["serve", "demo", "volume import", "volume export", "resource add", "backup restore", "task watch", "settings"])
      assert.match(stdout, new RegExp(`opencbr ${command}`), command);
  });

  const older = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => existsSync(path) && majorOf(path) < 26);
  test("re-executes with the pinned Node under an older one", { skip: older === undefined ? "no older Node is on this machine" : false }, () => {
    const { status, stdout, stderr } = spawnSync(older as string, [launcher, "settings", "--json"], { encoding: "utf8", env: cleanEnvironment() });
    assert.equal(status, 0, stderr);
    assert.ok((JSON.parse(stdout) as { settings: unknown[] }).settings.length >= 20);
    assert.equal(spawnSync(older as string, [launcher, "bogus"], { env: cleanEnvironment() }).status, 2);
  });
});

function majorOf(node: string): number {
  return Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? 99);
}

function canMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "opencbr-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe]).status === 0;
  if (isMounted) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true });
  return isMounted;
}
