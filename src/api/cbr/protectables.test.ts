import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ask, type DialectApp, openDialectApp, projectA, projectB } from "../../../test/support/dialect-app.ts";
import { cbr, newVault, newVolume, own, stored, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

const get = async (path: string, as?: string) => ask(service, "GET", `${cbr}/${path}`, as === undefined ? {} : { as });
const bind = (vaultId: string, id: string, type = "OS::Cinder::Volume") =>
  ask(service, "POST", `${cbr}/vaults/${vaultId}/addresources`, { body: { resources: [{ id, type }] } });

async function register(resource: Record<string, unknown>): Promise<string> {
  const made = await ask(service, "POST", `${own}/resources`, { body: { resource } });
  assert.ok(made.status < 300, JSON.stringify(made.body));
  return made.body.resource.id;
}

const newServer = (name: string, disks: string[]): Promise<string> =>
  register({ type: "OS::Nova::Server", name, disks: disks.map((id, index) => ({ volume_id: id, system_disk: index === 0 })) });

describe("protectables", () => {
  test("a disk can be protected, and is shown with Block Storage's own description", async () => {
    const id = await newVolume(service, "free");
    const shown = await get(`protectables/disk/instances/${id}`);
    assert.equal(shown.status, 200);
    const { instance } = shown.body;
    assert.deepEqual(instance.protectable, { result: true, code: "", reason: "", vault: null });
    assert.deepEqual([instance.id, instance.name, instance.type, instance.size, instance.status], [id, "free", "OS::Cinder::Volume", 1, "available"]);
    assert.deepEqual([instance.children, instance.detail.id, instance.detail.volume_type], [[], id, "standard"]);
    const listed = await get(`protectables/disk/instances?name=free`);
    assert.deepEqual(listed.body, { instances: [instance], count: 1 });
  });

  test("what a vault protects shows that vault; what another way protects cannot be bound twice", async () => {
    const [root, data] = [await newVolume(service, "root"), await newVolume(service, "data")];
    const server = await newServer("web", [root, data]);
    const vaultId = await newVault(service, "disks");
    assert.equal((await bind(vaultId, data)).status, 200);
    const { vault } = (await get(`vaults/${vaultId}`)).body;
    assert.deepEqual((await get(`protectables/disk/instances/${data}`)).body.instance.protectable, { result: true, code: "", reason: "", vault });
    const { instance } = (await get(`protectables/server/instances/${server}`)).body;
    assert.equal(instance.protectable.result, false);
    assert.equal(instance.protectable.code, "BackupService.6137");
    assert.match(instance.protectable.reason, new RegExp(`^disk ${data}`));
    assert.equal(instance.protectable.message, instance.protectable.reason);
    assert.deepEqual(
      instance.children.map((child: { id: string; detail: { attachments: { server_id: string }[] } }) => [
        child.id,
        child.detail.attachments[0]?.server_id,
      ]),
      [
        [root, server],
        [data, server],
      ],
    );
    assert.deepEqual([instance.status, instance.size, instance.detail.name], ["active", 2, "web"]);
    const disks = (await get(`protectables/disk/instances?server_id=${server}`)).body.instances;
    assert.deepEqual(disks.map((disk: { id: string }) => disk.id).toSorted(), [root, data].toSorted());
    assert.equal((await get("protectables/server/instances?status=ACTIVE&name=web")).body.count, 1);
  });

  test("a file that is gone, and a disk that is busy, cannot be protected now", async () => {
    const path = join(service.folder, "sources", "disk.raw");
    writeFileSync(path, Buffer.alloc(4096));
    const id = await register({ type: "OS::Cinder::Volume", name: "outside", path });
    const state = async () => (await get(`protectables/disk/instances/${id}`)).body.instance.protectable;
    assert.equal((await state()).result, true);
    rmSync(path);
    assert.deepEqual([(await state()).result, (await state()).code], [false, "BackupService.7004"]);
    const busy = await newVolume(service, "busy");
    await service.context.catalog.resources.update(busy, { status: "error" });
    assert.deepEqual((await get(`protectables/disk/instances/${busy}`)).body.instance.protectable.code, "BackupService.7003");
    assert.equal((await get("protectables/disk/instances?status=error&name=busy")).body.count, 1);
    const server = await newServer("bare", [await newVolume(service, "taken-out")]);
    await service.context.catalog.resources.update(server, { disks: [] });
    assert.equal((await get(`protectables/server/instances/${server}`)).body.instance.protectable.code, "BackupService.7108");
  });

  test("pages by offset and by marker see every disk once, fifty at most", async () => {
    const as = `member@${projectB}`;
    for (let n = 0; n < 55; n++) {
      const body = { volume: { name: `many-${n}`, size: 1 } };
      assert.equal((await ask(service, "POST", `/volume/v3/${projectB}/volumes`, { body, as })).status, 202);
    }
    const list = async (query: string) => (await ask(service, "GET", `/v3/${projectB}/protectables/disk/instances?${query}`, { as })).body;
    const first = await list("limit=1000");
    assert.deepEqual([first.instances.length, first.count], [50, 55]);
    const seen: string[] = [];
    for (let marker = ""; ; marker = seen.at(-1)!) {
      const { instances } = await list(`limit=20${marker === "" ? "" : `&marker=${marker}`}`);
      if (instances.length === 0) break;
      seen.push(...instances.map(({ id }: { id: string }) => id));
    }
    const byOffset = [0, 20, 40].map((offset) => list(`limit=20&offset=${offset}`));
    assert.deepEqual(
      (await Promise.all(byOffset)).flatMap((page) => page.instances.map(({ id }: { id: string }) => id)),
      seen,
    );
    assert.equal(new Set(seen).size, 55);
  });

  test("types that do not exist here have no instances; unknown ones, ids and projects are refused", async () => {
    assert.deepEqual((await get("protectables/turbo/instances")).body, { instances: [], count: 0 });
    assert.equal((await get("protectables/tape/instances")).body.error_code, "BackupService.9900");
    const id = await newVolume(service, "mine");
    const codes: [string, string, string | undefined][] = [
      [`protectables/disk/instances/${unknownId}`, "BackupService.7000", undefined],
      [`protectables/server/instances/${id}`, "BackupService.7100", undefined],
      ["protectables/server/instances/no-id", "BackupService.6302", undefined],
    ];
    for (const [path, code] of codes) {
      const answer = await get(path);
      assert.deepEqual([answer.status, answer.body.error_code], [404, code]);
    }
    const foreign = await ask(service, "GET", `/v3/${projectB}/protectables/disk/instances/${id}`, { as: `member@${projectB}` });
    assert.equal(foreign.body.error_code, "BackupService.7000");
    assert.equal((await get("protectables/disk/instances", `reader@${projectA}`)).status, 200);
  });
});

describe("the region and what it can do", () => {
  test("features are true facts, one by one too", async () => {
    const { body } = await get("cbr-features");
    const expected: Record<string, unknown> = {
      "features.backup_double_az": false,
      "features.bccrack_enable": false,
      "replication.destination_dgw_regions": [],
      "replication.destination_regions": ["RegionOne"],
      "replication.enable": true,
      "replication.source_region": "RegionOne",
    };
    assert.deepEqual(body, expected);
    for (const [key, value] of Object.entries(expected)) assert.deepEqual((await get(`cbr-features/${key}`)).body, { [key]: value });
    assert.deepEqual(Object.keys((await get("cbr-features?limit=2&offset=5")).body), ["replication.source_region"]);
    const unknown = await get("cbr-features/toString");
    assert.deepEqual([unknown.status, unknown.body.error_code], [400, "BackupService.9900"]);
    assert.deepEqual((await get("replication-capabilities")).body, { regions: [{ name: "RegionOne", replication_destinations: ["RegionOne"] }] });
  });

  test("a caller sees the projects in which they have a role, an administrator all", async () => {
    const { identity } = service.context.catalog;
    await identity.insertDomain({ id: "default", name: "Default" });
    for (const id of [projectA, projectB])
      await identity.insertProject({ id, domainId: "default", name: `p-${id.at(-1)}`, description: "", enabled: true });
    const user = { id: "member-user", domainId: "default", name: "member", passwordHash: "", enabled: true, defaultProjectId: null };
    await identity.insertUser(user);
    await identity.grantRole(user.id, projectA, "member");
    const asked = async (path: string, as: string) => (await ask(service, "GET", `/v3/${path}`, { as })).body;
    const [member, admin] = [`member@${projectA}`, `admin@${projectA}`];
    const { projects, links } = await asked("region-projects", member);
    assert.deepEqual(projects, [
      {
        id: projectA,
        name: "p-1",
        domain_id: "default",
        description: "",
        enabled: true,
        is_domain: false,
        parent_id: "default",
        links: { self: `http://cbr.test/v3/projects/${projectA}` },
      },
    ]);
    assert.equal(links.self, "http://cbr.test/v3/auth/projects");
    assert.equal((await asked("region-projects", admin)).projects.length, 2);
    assert.deepEqual(await asked("domain/Default/projects", member), { projects: [{ project_id: projectA, project_name: "p-1" }] });
    assert.deepEqual(await asked("domain/Nowhere/projects", admin), { projects: [] });
    const domain = { domain_id: "default", domain_name: "Default", project_id: projectA, project_name: "p-1" };
    assert.deepEqual(await asked(`domain/${projectA}`, member), domain);
    const foreign = await ask(service, "GET", `/v3/domain/${projectB}`, { as: member });
    assert.deepEqual([foreign.status, foreign.body.error_code], [404, "BackupService.9900"]);
    assert.equal((await ask(service, "GET", `/v3/region-projects`, { as: "" })).status, 401);
  });

  test("nothing was moved from an older service, and nothing can be", async () => {
    const as = `admin@${projectA}`;
    const body = { all_regions: true, reservation: 0.2 };
    const told = async (method: "GET" | "POST", as_: string) => {
      const answer = await ask(service, method, "/v3/migrates", { as: as_, ...(method === "POST" ? { body } : {}) });
      return [answer.status, answer.body.error_code];
    };
    assert.deepEqual(await told("POST", as), [400, "BackupService.4002"]);
    assert.deepEqual(await told("GET", as), [404, "BackupService.4001"]);
    assert.equal((await told("POST", `member@${projectA}`))[0], 403);
  });

  test("there are no agents, and the answers say so", async () => {
    const body = { agent_status: [{ resource_id: unknownId, resource_type: "OS::Nova::Server" }] };
    const checked = await ask(service, "POST", `${cbr}/agent/check`, { body, as: `reader@${projectA}` });
    const none = { installed: false, version: null, is_old: null, code: null, message: null };
    assert.deepEqual([checked.status, checked.body], [200, { agent_status: [{ resource_id: unknownId, ...none }] }]);
    assert.deepEqual((await get("agents?limit=10")).body, { agents: [], count: 0, limit: 10, offset: 0 });
    const refused = await ask(service, "POST", `${cbr}/agents`, { body: { agent: {} } });
    assert.deepEqual([refused.status, refused.body.error_code], [400, "BackupService.7403"]);
    for (const [method, tail] of [
      ["GET", ""],
      ["PUT", ""],
      ["DELETE", ""],
      ["POST", "/add-path"],
      ["POST", "/remove-path"],
    ] as const) {
      const answer = await ask(service, method, `${cbr}/agents/a-1${tail}`, method === "PUT" || method === "POST" ? { body: {} } : {});
      assert.deepEqual([answer.status, answer.body.error_code], [404, "BackupService.7410"], method + tail);
    }
  });
});

test("storage usage is what the backups of each resource take, and how many there are", async () => {
  assert.deepEqual((await get("storage_usage", `reader@${projectA}`)).body, { storage_usage: [], resource_count: 0 });
  const { volumeId, serverId, full, increment, child } = await stored(service);
  const { catalog } = service.context;
  await catalog.backups.update(child.id, { statistics: { ...full.statistics!, storedBytes: 5 * 1_048_576 + 1 } });
  const mb = (bytes: number) => Math.ceil(bytes / 1_048_576);
  const disk = {
    resource_id: volumeId,
    resource_name: full.resourceName,
    resource_type: "OS::Cinder::Volume",
    backup_count: 2,
    backup_size: mb(full.statistics!.storedBytes + increment.statistics!.storedBytes),
    backup_size_multiaz: 0,
  };
  const { storage_usage: usage, resource_count: count } = (await get("storage_usage")).body;
  assert.equal(count, 2);
  assert.deepEqual(
    usage.find((each: { resource_id: string }) => each.resource_id === volumeId),
    disk,
  );
  const [server] = (await get("storage_usage?resource_type=OS::Nova::Server")).body.storage_usage;
  assert.deepEqual([server.resource_id, server.backup_count, server.backup_size], [serverId, 1, 6]);
  assert.deepEqual((await get(`storage_usage?resource_id=${volumeId}`)).body, { storage_usage: [disk], resource_count: 1 });
  assert.deepEqual((await get("storage_usage?limit=1&offset=1")).body.storage_usage, [usage[1]]);
  const foreign = await ask(service, "GET", `/v3/${projectB}/storage_usage`, { as: `member@${projectB}` });
  assert.equal(foreign.body.resource_count, 0);
});
