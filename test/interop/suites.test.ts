/**
 * Other projects' own test suites against a real service, unmodified (docs/compatibility/suites.md). The Python ones are installed from PyPI.
 * The Go ones are built from the checkouts in the folder OPENCBR_SUITES (`gophertelekomcloud`, `terraform-provider-opentelekomcloud`), the second
 * with Terraform on the PATH; without them they are skipped by name.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "../support/client.ts";
import { type Service, startService } from "../support/service.ts";

const cache = join(import.meta.dirname, "../../.cache/interop");
const suites = process.env["OPENCBR_SUITES"] ?? "";
const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0;
const hasPython = has("python3", "-m", "venv", "--help");
const minutes = 60_000;

let folder: string;
let service: Service;
let admin: Client;
const projects = new Map<string, string>();

/** A virtual environment with these packages, made once per machine. */
function venv(name: string, packages: string[]): string {
  const home = join(cache, `${name}-${packages.join("-").replaceAll(/[^\w.-]/g, "_")}`);
  if (!existsSync(join(home, "ready"))) {
    execFileSync("python3", ["-m", "venv", home]);
    execFileSync(join(home, "bin/python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
    writeFileSync(join(home, "ready"), "");
  }
  return join(home, "bin");
}

interface Ran {
  code: number | null;
  text: string;
}
function run(command: string, args: string[], env: NodeJS.ProcessEnv, cwd = folder): Promise<Ran> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("OS_")));
  const child = spawn(command, args, { cwd, env: { ...inherited, no_proxy: "127.0.0.1", ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const add = (piece: Buffer): void => void (text += piece.toString());
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  return new Promise((resolve, reject) => child.on("error", reject).on("close", (code) => resolve({ code, text })));
}

/** Runs modules or classes by testtools; tells how many tests there were and which did not pass. */
async function testtools(bin: string, names: string[], env: NodeJS.ProcessEnv): Promise<{ total: number; failed: string[]; text: string }> {
  const path = `${bin}:${process.env["PATH"] ?? ""}`;
  const { text } = await run(join(bin, "python"), ["-m", "testtools.run", ...names], { ...env, PATH: path, OS_TEST_TIMEOUT: "120" });
  const failed = [...text.matchAll(/^(?:ERROR|FAIL): (\S+)/gm)].map(([, name = ""]) => name.replace(/\[.*/, "").split(".").slice(-2).join("."));
  return { total: Number(/^Ran (\d+) test/m.exec(text)?.[1] ?? 0), failed: failed.toSorted(), text };
}

async function post(path: string, body: object): Promise<Record<string, { id: string }>> {
  const answer = await admin.call("POST", path, body);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}
async function makeUser(name: string, project: string, role: string): Promise<void> {
  const { user } = await post("/v3/users", { user: { name, password: "opencbr-suites", default_project_id: projects.get(project) } });
  const granted = await admin.call("PUT", `/v3/projects/${projects.get(project)}/users/${user?.id}/roles/${role}`);
  assert.equal(granted.status, 204);
}

const cloud = (user: string, project: string, password = "opencbr-suites"): object => ({
  auth: {
    auth_url: `${service.baseUrl}/v3`,
    username: user,
    password,
    project_name: project,
    user_domain_name: "Default",
    project_domain_name: "Default",
    domain_name: "Default",
  },
  region_name: "eu-de",
  identity_api_version: 3,
});

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-suites-"));
  service = await startService({ dataPath: join(folder, "data"), args: ["--region", "eu-de"] });
  admin = await Client.login(service.baseUrl, "admin", "opencbr-admin");
  for (const name of ["eu-de", "eu-de_two", "administration"]) {
    const { project } = await post("/v3/projects", { project: { name } });
    projects.set(name, project!.id);
  }
  await makeUser("member", "eu-de", "member");
  await makeUser("reader", "eu-de", "reader");
  await makeUser("manager", "eu-de", "admin");
  await makeUser("other", "eu-de_two", "member");
  await makeUser("root", "administration", "admin");
  // JSON is YAML.
  const clouds = { otc: cloud("member", "eu-de"), devstack: cloud("member", "eu-de"), "devstack-admin": cloud("manager", "eu-de") };
  writeFileSync(join(folder, "clouds.yaml"), JSON.stringify({ clouds }));
});
after(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const skipPython = hasPython ? false : "python3 with venv is not on this machine";

test("otcextensions 0.34.8, functional tests of CBR", { skip: skipPython, timeout: 15 * minutes }, async () => {
  const bin = venv("otcextensions", ["otcextensions==0.34.8", "python-openstackclient==10.5.0", "tempest==47.0.0", "oslotest", "testtools"]);
  const base = "otcextensions.tests.functional";
  const names = ["policy", "service", "task", "vault"].map((noun) => `${base}.sdk.cbr.v3.test_${noun}`);
  const env = { OS_CLIENT_CONFIG_FILE: join(folder, "clouds.yaml"), OS_CLOUD: "otc" };
  const commands = ["task", "vault"].map((noun) => `${base}.osclient.cbr.v3.test_${noun}`);
  const { total, failed, text } = await testtools(bin, [...names, ...commands], env);
  assert.deepEqual([total, failed], [9, []], text);
});

test("Tempest 47 and its Cinder plugin, backup classes", { skip: skipPython, timeout: 15 * minutes }, async () => {
  const bin = venv("tempest", ["tempest==47.0.0", "cinder-tempest-plugin==1.23.0"]);
  const etc = join(folder, "tempest");
  mkdirSync(join(etc, "locks"), { recursive: true });
  const account = (username: string, project: string, role: string, types: string[] = []): object => ({
    username,
    password: "opencbr-suites",
    project_name: project,
    user_domain_name: "Default",
    project_domain_name: "Default",
    domain_name: "Default",
    roles: [role],
    ...(types.length === 0 ? {} : { types }),
  });
  const accounts = [
    account("root", "administration", "admin", ["admin"]),
    account("member", "eu-de", "member"),
    account("reader", "eu-de", "reader"),
    account("manager", "eu-de", "admin", ["admin"]),
    account("other", "eu-de_two", "member"),
  ];
  writeFileSync(join(etc, "accounts.yaml"), JSON.stringify(accounts));
  writeFileSync(join(etc, "tempest.conf"), tempestConf(etc));
  const names = [
    "tempest.api.volume.test_volumes_backup",
    "tempest.api.volume.admin.test_volumes_backup",
    "cinder_tempest_plugin.api.volume.test_volume_backup",
    "cinder_tempest_plugin.api.volume.admin.test_volume_backup",
  ];
  const { total, failed, text } = await testtools(bin, names, { TEMPEST_CONFIG_DIR: etc, TEMPEST_CONFIG: "tempest.conf" });
  // What fails and why stands in docs/compatibility/suites.md.
  const known = [
    "VolumesBackupsAdminTest.test_volume_backup_export_import",
    "VolumesBackupsAdminTest.test_volume_backup_reset_status",
    "VolumesBackupsTest.test_bootable_volume_backup_and_restore",
    "VolumesBackupsTest.test_incremental_backup",
  ];
  assert.deepEqual([total, failed], [14, known], text);
});

const tempestConf = (etc: string): string => `[DEFAULT]
log_file = ${etc}/tempest.log
[oslo_concurrency]
lock_path = ${etc}/locks
[auth]
use_dynamic_credentials = false
test_accounts_file = ${etc}/accounts.yaml
create_isolated_networks = false
[identity]
uri_v3 = ${service.baseUrl}/identity/v3
auth_version = v3
region = eu-de
v3_endpoint_type = public
default_domain_id = default
[service_available]
cinder = true
nova = false
neutron = true
swift = false
glance = true
[volume]
catalog_type = block-storage
min_microversion = 3.0
max_microversion = 3.70
build_timeout = 120
build_interval = 1
region = eu-de
endpoint_type = public
[volume-feature-enabled]
backup = true
snapshot = true
`;

/** Builds a Go test program of a checkout once and runs it; tells which tests passed, failed and were skipped. */
async function goTests(checkout: string, packagePath: string, tags: string[], env: NodeJS.ProcessEnv, args: string[] = []) {
  const program = join(cache, `${checkout}-${packagePath.replaceAll(/\W/g, "_")}.test`);
  if (!existsSync(program)) {
    const build = ["test", "-c", "-mod=mod", ...(tags.length === 0 ? [] : ["-tags", tags.join(",")]), "-o", program, packagePath];
    execFileSync("go", build, { cwd: join(suites, checkout), stdio: ["ignore", "ignore", "inherit"] });
  }
  const { text } = await run(program, ["-test.v", ...args], env);
  const named = (word: string): string[] => [...text.matchAll(new RegExp(`^\\s*--- ${word}: (\\S+)`, "gm"))].map(([, name = ""]) => name).toSorted();
  return { passed: named("PASS"), failed: named("FAIL"), text };
}
const lacks = (checkout: string): string | false => {
  if (suites === "" || !existsSync(join(suites, checkout))) return `no checkout of ${checkout}: set OPENCBR_SUITES to a folder that has one`;
  return has("go", "version") ? false : "go is not on this machine";
};

describe("gophertelekomcloud, acceptance tests", { skip: lacks("gophertelekomcloud"), timeout: 30 * minutes }, () => {
  const env = () => ({ OS_CLIENT_CONFIG_FILE: join(folder, "clouds.yaml"), OS_CLOUD: "otc", RUN_CBR: "1", OS_AVAILABILITY_ZONE: "az1" });
  test("CBR", async () => {
    const second = { OS_PROJECT_ID_2: projects.get("eu-de_two"), OS_REGION_NAME_2: "eu-de_two" };
    const { passed, failed, text } = await goTests("gophertelekomcloud", "./acceptance/openstack/cbr/v3/", ["acceptance"], { ...env(), ...second });
    assert.deepEqual([passed.length, failed], [11, []], text);
  });
  test("VBS", async () => {
    const { passed, failed, text } = await goTests("gophertelekomcloud", "./acceptance/openstack/vbs/v2/", ["acceptance"], env());
    assert.deepEqual([passed, failed], [["TestVBSV2BackupLifecycle"], []], text);
  });
});

const otcTerraform = "terraform-provider-opentelekomcloud";
const noTerraform = has("terraform", "version") ? false : "terraform is not on this machine";
test("the OTC Terraform provider, acceptance tests of CBR", { skip: lacks(otcTerraform) || noTerraform, timeout: 30 * minutes }, async () => {
  const env = {
    TF_ACC: "1",
    OS_AUTH_URL: `${service.baseUrl}/v3`,
    OS_USERNAME: "member",
    OS_PASSWORD: "opencbr-suites",
    OS_DOMAIN_NAME: "Default",
    OS_TENANT_NAME: "eu-de",
    OS_PROJECT_NAME: "eu-de",
    OS_REGION_NAME: "eu-de",
    OS_SUBNET_NAME: "any",
    OS_AVAILABILITY_ZONE: "az1",
  };
  const wanted = ["TestAccCBRPolicyV3_basic", "TestAccCBRPolicyV3_minConfig", "TestAccCBRVaultV3_basic", "TestAccCBRVaultV3_bind_rules"];
  wanted.push("TestAccCBRVaultV3_unAssign");
  const only = ["-test.run", `^(${wanted.join("|")})$`];
  const { passed, text } = await goTests(otcTerraform, "./opentelekomcloud/acceptance/cbr/", [], env, only);
  assert.deepEqual(passed, wanted, text);
});
