/** `openstack volume backup …` and `curl` against a real service, as an operator would type them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client, devProjectId } from "../support/client.ts";
import { type Service, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const has = (command: string): boolean => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;

let folder: string;
let service: Service;
let client: Client;

function openstack(...args: string[]): any {
  const ran = spawnSync("openstack", [...args], {
    encoding: "utf8",
    timeout: 60_000,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      OS_AUTH_URL: `${service.baseUrl}/identity/v3`,
      OS_USERNAME: "demo",
      OS_PASSWORD: "opencbr-demo",
      OS_PROJECT_NAME: "demo",
      OS_USER_DOMAIN_NAME: "Default",
      OS_PROJECT_DOMAIN_NAME: "Default",
      OS_REGION_NAME: "RegionOne",
      OS_IDENTITY_API_VERSION: "3",
      no_proxy: "127.0.0.1",
    },
  });
  assert.equal(ran.status, 0, `openstack ${args.join(" ")}: ${ran.stderr}`);
  return ran.stdout.trim().startsWith("{") || ran.stdout.trim().startsWith("[") ? JSON.parse(ran.stdout) : ran.stdout;
}

describe("operators' clients", () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "opencbr-openstack-"));
    service = await startService({ dataPath: join(folder, "data") });
    client = await Client.login(service.baseUrl);
  });
  after(async () => {
    await service?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const withoutOpenstack = has("openstack") ? false : "the openstack client is not on this machine";
  test("openstack: token, volume, backup create, list, show, restore, delete", { skip: withoutOpenstack }, async () => {
    assert.equal(openstack("token", "issue", "-f", "json").project_id, devProjectId);
    const volume = openstack("volume", "create", "--size", "1", "cli-disk", "-f", "json");
    await client.write(volume.id, MiB, randomBytes(MiB), 1024 * MiB);
    const made = openstack("volume", "backup", "create", "--name", "cli-backup", "--description", "by hand", "cli-disk", "-f", "json");
    const status = () => openstack("volume", "backup", "show", "cli-backup", "-f", "json");
    const shown = await client.until("available", async () => (status().status === "available" ? status() : undefined));
    assert.equal(shown.id, made.id);
    assert.equal(shown.volume_id, volume.id);
    assert.equal(shown.size, 1);
    assert.equal(shown.description, "by hand");
    assert.ok(shown.object_count >= 1);
    const incremental = openstack("volume", "backup", "create", "--name", "cli-incremental", "--incremental", "cli-disk", "-f", "json");
    await client.until("incremental", async () => {
      const { status: now } = (await client.volume("GET", `backups/${incremental.id}`)).backup;
      return now === "available" ? true : undefined;
    });
    assert.equal(openstack("volume", "backup", "show", incremental.id, "-f", "json").is_incremental, true);
    const names = openstack("volume", "backup", "list", "-f", "json").map((row: any) => row.Name);
    assert.ok(names.includes("cli-backup") && names.includes("cli-incremental"), String(names));
    assert.equal(openstack("volume", "backup", "list", "--name", "cli-backup", "-f", "json").length, 1);
    // Newer clients ask for --force before they overwrite a volume; older ones do not know it.
    const force = /--force/.test(openstack("help", "volume", "backup", "restore")) ? ["--force"] : [];
    openstack("volume", "backup", "restore", ...force, "cli-backup", "cli-disk");
    await client.until("restored", async () => (status().status === "available" ? true : undefined));
    openstack("volume", "backup", "delete", "cli-incremental");
    openstack("volume", "backup", "delete", "cli-backup");
    await client.until("gone", async () => (openstack("volume", "backup", "list", "-f", "json").length === 0 ? true : undefined));
  });

  test("curl: a token, then one backup in each dialect", { skip: has("curl") ? false : "curl is not on this machine" }, async () => {
    const curl = (...args: string[]): string => {
      const ran = spawnSync("curl", ["-sS", "--noproxy", "*", ...args], { encoding: "utf8" });
      assert.equal(ran.status, 0, ran.stderr);
      return ran.stdout;
    };
    const head = curl("-o", join(folder, "body"), "-D", "-", "-H", "content-type: application/json", "-d",
      JSON.stringify({
        auth: {
          identity: { methods: ["password"], password: { user: { name: "demo", domain: { id: "default" }, password: "opencbr-demo" } } },
          scope: { project: { name: "demo", domain: { id: "default" } } },
        },
      }),
      `${service.baseUrl}/v3/auth/tokens`);
    const token = /x-subject-token: (\S+)/i.exec(head)?.[1];
    assert.ok(token, head);
    const volumeId = await client.newVolume("curl-disk");
    await client.write(volumeId, 0, randomBytes(MiB), 1024 * MiB);
    const vaultId = await client.newVault("curl");
    await client.bind(vaultId, volumeId);
    const [{ id }] = await client.checkpoint(vaultId);
    for (const path of ["/v3", "/cbr/v3", "/volume/v3", "/volume/v2", "/v2"]) {
      const answer = JSON.parse(curl("-H", `X-Auth-Token: ${token}`, `${service.baseUrl}${path}/${devProjectId}/backups/${id}`));
      assert.equal(answer.backup.id, id, path);
      assert.equal(answer.backup.status, "available", path);
    }
  });
});
