/** The public SDKs of three languages against a real service. What a machine lacks is skipped by name. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client, devAccessKey, devSecretKey } from "../support/client.ts";
import { type Service, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const here = import.meta.dirname;
/** Clients are built once per machine, outside the repository's tracked files. */
const cache = join(here, "../../.cache/interop");

const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0;

let folder: string;
let service: Service;
let client: Client;
let volumeId: string;
let backup: any;
/** Another project, in which the same user has a role. */
let otherProjectId: string;

/** The project's own name serves as the region: the SDKs look a project up by the region's name. */
const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CLOUD_SDK_AK: devAccessKey,
  CLOUD_SDK_SK: devSecretKey,
  REGION: "demo",
  ENDPOINT: service.baseUrl,
  HUAWEICLOUD_SDK_REGION_CBR_DEMO: service.baseUrl,
  HUAWEICLOUD_SDK_IAM_ENDPOINT: service.baseUrl,
  BACKUP_ID: backup.id,
  VOLUME_ID: volumeId,
  OTHER_PROJECT_ID: otherProjectId,
  no_proxy: "127.0.0.1",
});

function run(command: string, args: string[], more: NodeJS.ProcessEnv = {}, cwd = here): { status: number | null; out: any; text: string } {
  const ran = spawnSync(command, args, { env: { ...environment(), ...more }, cwd, encoding: "utf8", timeout: 5 * 60_000 });
  const line = ran.stdout.split("\n").find((one) => one.includes("{")) ?? "";
  const json = line.slice(line.indexOf("{"), line.lastIndexOf("}") + 1);
  return { status: ran.status, out: json === "" ? undefined : JSON.parse(json), text: ran.stdout + ran.stderr };
}

/** What every SDK's scenario tells of the life of a backup. */
function assertLife({ status, out, text }: ReturnType<typeof run>): void {
  assert.equal(status, 0, text);
  assert.deepEqual(out.policies, [true]);
  assert.deepEqual(out.added, [volumeId]);
  assert.equal(out.checkpoint_at_first, "protecting");
  assert.equal(out.checkpoint.status, "available");
  assert.deepEqual(out.listed, [out.backup.id]);
  assert.equal(out.backup.resource_id, volumeId);
  assert.equal(out.log.status, "success");
  assert.equal(out.after_restore, "available");
  assert.deepEqual([out.replicated, out.replica_is], ["success", "replication"]);
  assert.deepEqual([out.member, out.received], ["accepted", [out.backup.id]]);
  assert.deepEqual([out.tags, out.tagged], [[["team", "storage"]], [true]]);
  assert.deepEqual([out.gone.status_code, out.gone.error_code], [404, "BackupService.6200"]);
  assert.ok(out.gone.request_id);
  assert.deepEqual(out.vaults_gone, Array(3).fill("BackupService.6105"));
  assert.deepEqual(out.vaults_left, []);
}

const life = "the life of a backup: vault, policy, bind, restore point, list, show, logs, restore, replicate, share, tags, delete";

describe("public SDKs", () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "opencbr-interop-"));
    service = await startService({ dataPath: folder });
    client = await Client.login(service.baseUrl);
    volumeId = await client.newVolume("sdk-disk");
    await client.write(volumeId, 0, randomBytes(2 * MiB), 1024 * MiB);
    const vaultId = await client.newVault("shown");
    const other = await client.newVolume("other-disk");
    await client.write(other, MiB, randomBytes(MiB), 1024 * MiB);
    await client.bind(vaultId, other);
    const admin = await Client.login(service.baseUrl, "admin", "opencbr-admin");
    otherProjectId = (await admin.ok("POST", "/v3/projects", { project: { name: "other" } })).project.id;
    const { users } = await admin.ok("GET", "/v3/users?name=demo");
    await admin.ok("PUT", `/v3/projects/${otherProjectId}/users/${users[0].id}/roles/member`);
    [backup] = await client.checkpoint(vaultId, { name: "for-the-sdks", description: "shown by three SDKs" });
  });
  after(async () => {
    await service?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("Python", { skip: has("python3", "-m", "venv", "--help") ? false : "python3 with venv is not on this machine" }, () => {
    const python = join(cache, "python/bin/python");
    before(() => {
      if (existsSync(join(cache, "python/ready"))) return;
      execFileSync("python3", ["-m", "venv", join(cache, "python")]);
      execFileSync(python, ["-m", "pip", "install", "--quiet", "-r", join(here, "python/requirements.txt")]);
      execFileSync("touch", [join(cache, "python/ready")]);
    });

    test("shows the backup, project looked up by region, request signed", () => {
      const { status, out, text } = run(python, ["python/show_backup.py"]);
      assert.equal(status, 0, text);
      const keys = "id name description status vault_id checkpoint_id resource_id resource_size provider_id incremental".split(" ");
      for (const key of keys) {
        assert.deepEqual(out[key], backup[key], key);
      }
      assert.deepEqual(out.extend_info.support_lld, backup.extend_info.support_lld);
    });

    test("a backup that is not there: its code and request id", () => {
      const { status, out } = run(python, ["python/show_backup.py"], { BACKUP_ID: "00000000-0000-4000-8000-000000000000" });
      assert.equal(status, 3);
      assert.equal(out.status_code, 404);
      assert.equal(out.error_code, "BackupService.6200");
      assert.ok(out.request_id);
    });

    test("a wrong secret: 401 as the gateway says it", () => {
      const { status, text } = run(python, ["python/show_backup.py"], { CLOUD_SDK_SK: "x".repeat(40) });
      assert.notEqual(status, 0);
      assert.match(text, /APIGW\.0301|401/);
    });

    test(life, () => assertLife(run(python, ["python/scenario.py"])));
  });

  describe("Go", { skip: has("go", "version") ? false : "go is not on this machine" }, () => {
    const program = join(cache, "go-interop");
    before(() => execFileSync("go", ["build", "-o", program, "."], { cwd: join(here, "go"), stdio: ["ignore", "ignore", "inherit"] }));

    test("shows and lists the backup, strictly typed; a missing one is an error with code", () => {
      const { status, out, text } = run(program, []);
      assert.equal(status, 0, text);
      assert.equal(out.backup.id, backup.id);
      assert.equal(out.backup.resource_size, backup.resource_size);
      assert.equal(out.backup.name, backup.name);
      assert.ok(out.listed.includes(backup.id));
      assert.match(out.missing, /BackupService\.6200/);
    });

    test(life, () => assertLife(run(program, ["life"])));
  });

  describe("Java", { skip: has("mvn", "--version") ? false : "maven is not on this machine" }, () => {
    test("shows and lists the backup, strictly typed; a missing one is an error with code and request id", () => {
      const target = join(cache, "java");
      const { status, out, text } = run("mvn", ["-B", "-q", `-DbuildDirectory=${target}`, "compile", "exec:java"], {}, join(here, "java"));
      assert.equal(status, 0, text);
      assert.equal(out.id, backup.id);
      assert.equal(out.name, backup.name);
      assert.equal(out.resource_size, backup.resource_size);
      assert.ok(out.listed >= 1);
      assert.equal(out.missing_status, 404);
      assert.equal(out.missing_code, "BackupService.6200");
      assert.ok(out.missing_request_id);
    });

    test(life, () => {
      const flags = ["-B", "-q", `-DbuildDirectory=${join(cache, "java")}`, "-Dexec.mainClass=Scenario"];
      assertLife(run("mvn", [...flags, "compile", "exec:java"], {}, join(here, "java")));
    });
  });
});
