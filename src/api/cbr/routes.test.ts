import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, projectA, projectB, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { billing, cbr, newVault, newVolume, own, stored, unknownId, vbs, volume } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

describe("CBR: vaults", () => {
  test("what is created equals what is shown, with the types that typed clients decode", async () => {
    const made = await ask(service, "POST", `${cbr}/vaults`, {
      body: {
        vault: {
          name: "v-1",
          description: "kept",
          billing,
          resources: [],
          tags: [{ key: "k", value: "v" }],
          enterprise_project_id: 0,
          bind_rules: { tags: [{ key: "a" }] },
        },
      },
    });
    assert.equal(made.status, 200);
    const shown = await ask(service, "GET", `${cbr}/vaults/${made.body.vault.id}`);
    assert.deepEqual(shown.body, made.body);
    const { vault } = shown.body;
    assert.equal(vault.enterprise_project_id, "0");
    assert.equal(vault.provider_id, "d1603440-187d-4516-af25-121250c7cc97");
    assert.deepEqual(vault.bind_rules, { tags: [{ key: "a", value: null }] });
    assert.equal(vault.billing.spec_code, "vault.backup.volume.normal");
    for (const key of ["allocated", "used", "size"]) assert.equal(typeof vault.billing[key], "number", key);
    assert.deepEqual(vault.resources, []);
  });

  test("resources are added, shown with numbers and an object, and removed", async () => {
    const vaultId = await newVault(service, "v-res");
    const volumeId = await newVolume(service, "v-res-disk");
    const added = await ask(service, "POST", `${cbr}/vaults/${vaultId}/addresources`, {
      body: { resources: [{ id: volumeId, type: "OS::Cinder::Volume" }] },
    });
    assert.deepEqual([added.status, added.body], [200, { add_resource_ids: [volumeId] }]);
    const { vault } = (await ask(service, "GET", `${cbr}/vaults/${vaultId}`)).body;
    assert.deepEqual(vault.resources, [
      {
        id: volumeId,
        name: "v-res-disk",
        type: "OS::Cinder::Volume",
        size: 1,
        protect_status: "available",
        backup_size: 0,
        backup_count: 0,
        suspended: false,
        extra_info: {},
      },
    ]);
    assert.equal(vault.billing.allocated, 1);
    const twice = await ask(service, "POST", `${cbr}/vaults/${vaultId}/addresources`, {
      body: { resources: [{ id: volumeId, type: "OS::Cinder::Volume" }] },
    });
    assert.equal(twice.status, 400);
    const wrong = await ask(service, "POST", `${cbr}/vaults/${vaultId}/addresources`, { body: { resources: [{ id: volumeId, type: "OS::Tape" }] } });
    assert.equal(wrong.body.error_code, "BackupService.6102");
    assert.match(wrong.body.error_msg, /resources\[0\]\.type/);
    const removed = await ask(service, "POST", `${cbr}/vaults/${vaultId}/removeresources`, { body: { resource_ids: [volumeId] } });
    assert.deepEqual([removed.status, removed.body], [200, { remove_resource_ids: [volumeId] }]);
  });

  test("lists by exact filters, pages by offset and past the end is empty", async () => {
    const id = await newVault(service, "v-listed");
    const list = async (query: string) => (await ask(service, "GET", `${cbr}/vaults?${query}`)).body;
    assert.deepEqual(
      (await list("name=v-listed")).vaults.map((vault: { id: string }) => vault.id),
      [id],
    );
    assert.equal((await list("name=v-list")).count, 0);
    assert.deepEqual(await list(`id=${id}&offset=1`), { vaults: [], count: 1, limit: 1000, offset: 1 });
    assert.equal((await list("name=v-listed&object_type=server")).count, 0);
    assert.equal((await list("name=v-listed&object_type=vmware")).count, 0);
    assert.equal((await list("name=v-listed&policy_id=x")).count, 0);
    assert.equal((await list("name=v-listed&enterprise_project_id=0")).count, 1);
    assert.equal((await list("name=v-listed&enterprise_project_id=other")).count, 0);
    assert.equal((await list("limit=1")).vaults.length, 1);
  });

  test("an unknown and a malformed id, and a name in its place, are 404", async () => {
    for (const id of [unknownId, "v-listed", "%00", "x".repeat(300)]) {
      const shown = await ask(service, "GET", `${cbr}/vaults/${id}`);
      assert.equal(shown.status, 404, id);
    }
    assert.equal((await ask(service, "GET", `${cbr}/vaults/${unknownId}`)).body.error_code, "BackupService.6105");
    assert.equal((await ask(service, "DELETE", `${cbr}/vaults/${unknownId}`)).body.error_code, "BackupService.6105");
  });

  test("bad bodies are 400 9900 and name the field", async () => {
    const bad: [unknown, string][] = [
      [{}, "vault"],
      [{ vault: { name: "", billing, resources: [] } }, "vault.name"],
      [{ vault: { name: "a b", billing, resources: [] } }, "vault.name"],
      [{ vault: { name: "x".repeat(65), billing, resources: [] } }, "vault.name"],
      [{ vault: { name: "x", billing: { ...billing, size: -1 }, resources: [] } }, "vault.billing.size"],
      [{ vault: { name: "x", billing: { ...billing, size: "10" }, resources: [] } }, "vault.billing.size"],
      [{ vault: { name: "x", billing: { ...billing, object_type: "tape" }, resources: [] } }, "vault.billing.object_type"],
      [{ vault: { name: "x", billing, resources: [{ id: 1 }] } }, "vault.resources"],
      [{ vault: { name: "x", billing, resources: [], description: "<b>" } }, "vault.description"],
      [{ vault: { name: "x", billing, resources: [], threshold: 101 } }, "vault.threshold"],
    ];
    for (const [body, field] of bad) {
      const answer = await ask(service, "POST", `${cbr}/vaults`, { body });
      assert.deepEqual([answer.status, answer.body.error_code], [400, "BackupService.9900"], JSON.stringify(body));
      assert.ok(answer.body.error_msg.includes(field), `${answer.body.error_msg} should name ${field}`);
    }
    assert.equal((await ask(service, "GET", `${cbr}/vaults?name=x`)).body.count, 0, "nothing was made");
  });
});

describe("CBR: backups", () => {
  test("a list shows top-level backups newest first, and children by their parent", async () => {
    const { vaultId, full, increment, parent, child } = await stored(service);
    const list = async (query: string) => (await ask(service, "GET", `${cbr}/backups?vault_id=${vaultId}&${query}`)).body;
    const ids = async (query: string) => (await list(query)).backups.map((backup: { id: string }) => backup.id);
    assert.deepEqual(await ids(""), [parent.id, increment.id, full.id]);
    assert.deepEqual(await ids("sort=created_at:asc"), [full.id, increment.id, parent.id]);
    assert.deepEqual(await ids(`parent_id=${parent.id}`), [child.id]);
    assert.deepEqual(await ids("name=full"), [full.id]);
    assert.deepEqual(await ids("incremental=false&resource_type=OS::Cinder::Volume"), [full.id]);
    assert.deepEqual(await ids("status=error&status=available&limit=1"), [parent.id]);
    assert.deepEqual(await ids("status=error"), []);
    assert.deepEqual(await ids("status=nonsense"), []);
    assert.deepEqual(await ids(`marker=${parent.id}&limit=1`), [increment.id]);
    assert.deepEqual(await ids("marker=nonsense"), []);
    assert.deepEqual(await ids("offset=3"), []);
    assert.deepEqual(await ids("start_time=2030-03-17T17:46:41Z&end_time=2030-03-17T17:46:41Z"), [increment.id]);
    assert.deepEqual(await ids("own_type=shared"), []);
    assert.deepEqual(await ids("own_type=all_granted&used_percent=100"), []);
    assert.equal((await list("limit=2")).count, 3);
    assert.deepEqual((await list("")).backups[0].children, []);
    assert.equal((await ask(service, "GET", `${cbr}/backups?sort=size`)).status, 400);
  });

  test("shows one, with the children of a server's, and tells the same truth in every dialect", async () => {
    const { full, increment, parent, child } = await stored(service);
    const server = (await ask(service, "GET", `${cbr}/backups/${parent.id}`)).body.backup;
    assert.deepEqual(
      server.children.map((one: { id: string }) => one.id),
      [child.id],
    );
    assert.equal(server.extend_info.support_lld, true);
    const disk = (await ask(service, "GET", `${cbr}/backups/${increment.id}`)).body.backup;
    const v3 = (await ask(service, "GET", `${volume}/backups/${increment.id}`)).body.backup;
    const v2 = (await ask(service, "GET", `${vbs}/backups/${increment.id}`)).body.backup;
    const root = (await ask(service, "GET", `/v2/${projectA}/backups/${increment.id}`)).body.backup;
    assert.deepEqual([disk.resource_id, disk.incremental, disk.protected_at], [v3.volume_id, v3.is_incremental, v3.data_timestamp]);
    assert.equal(v3.has_dependent_backups, false);
    assert.equal((await ask(service, "GET", `${volume}/backups/${full.id}`)).body.backup.has_dependent_backups, true);
    const { service_metadata: metadata, "os-bak-tenant-attr:tenant_id": tenant, links, ...common } = v2;
    const { "os-backup-project-attr:project_id": project, links: _v3Links, ...shared } = v3;
    assert.deepEqual(common, shared);
    assert.equal(tenant, project);
    assert.equal(links[0].href, `http://cbr.test/volume/v2/${projectA}/backups/${increment.id}`);
    assert.equal(root.links[0].href, `http://cbr.test/v2/${projectA}/backups/${increment.id}`);
    assert.equal(JSON.parse(metadata).Type, 0);
    const childMetadata = JSON.parse((await ask(service, "GET", `${vbs}/backups/${child.id}`)).body.backup.service_metadata);
    assert.deepEqual([childMetadata.ST, childMetadata.VMID], [1, parent.resourceId]);
    assert.equal((await ask(service, "GET", `${volume}/backups/${parent.id}`)).status, 404, "server backups are not disk backups");
  });

  test("unknown, malformed and foreign ids", async () => {
    const { full } = await stored(service);
    for (const id of [unknownId, "nightly", "..%2f"]) {
      const answer = await ask(service, "GET", `${cbr}/backups/${id}`);
      assert.deepEqual([answer.status, answer.body.error_code], [404, "BackupService.6200"], id);
    }
    assert.equal((await ask(service, "GET", `/v3/${projectB}/backups/${full.id}`, { as: `member@${projectB}` })).status, 404);
    const crossed = await ask(service, "GET", `/v3/${projectB}/backups/${full.id}`);
    assert.equal(crossed.status, 403);
    const nobody = await ask(service, "GET", `${cbr}/backups/${full.id}`, { as: "" });
    assert.deepEqual([nobody.status, nobody.body.error_code], [401, "APIGW.0301"]);
  });

  test("a restore needs its target, by the kind of backup", async () => {
    const { full, parent } = await stored(service);
    const restore = async (id: string, body: unknown) => {
      const answer = await ask(service, "POST", `${cbr}/backups/${id}/restore`, { body });
      return [answer.status, answer.body.error_msg];
    };
    for (const [id, body, field] of [
      [full.id, { restore: {} }, "restore.volume_id"],
      [full.id, {}, "restore"],
      [parent.id, { restore: { volume_id: unknownId } }, "restore.server_id"],
      [parent.id, { restore: { server_id: unknownId } }, "restore.mappings"],
      [parent.id, { restore: { server_id: unknownId, mappings: [{ backup_id: "x" }] } }, "restore.mappings"],
      [full.id, { restore: { details: { destination_path: "/x" } } }, "restore.details"],
    ] as const) {
      const [status, message] = await restore(id, body);
      assert.equal(status, 400, JSON.stringify(body));
      assert.ok(String(message).includes(field), String(message));
    }
  });

  test("a reader may look, and change nothing", async () => {
    const { full } = await stored(service);
    const as = `reader@${projectA}`;
    assert.equal((await ask(service, "GET", `${cbr}/backups/${full.id}`, { as })).status, 200);
    assert.equal((await ask(service, "GET", `${volume}/backups/detail`, { as })).status, 200);
    assert.equal((await ask(service, "DELETE", `${cbr}/backups/${full.id}`, { as })).status, 403);
    assert.equal((await ask(service, "DELETE", `${volume}/backups/${full.id}`, { as })).status, 403);
    assert.equal((await ask(service, "PUT", `${own}/volumes/${unknownId}/data`, { as })).status, 403);
    assert.equal((await ask(service, "GET", `${own}/backups/${full.id}/data`, { as })).status, 403, "what is in a backup is not for readers");
    assert.equal((await ask(service, "GET", `${own}/backups/${full.id}/stats`, { as })).status, 200);
  });
});

describe("CBR: restore points and tasks", () => {
  test("a restore point of a vault is shown with strings where clients decode strings", async () => {
    const vaultId = await newVault(service, "cp-vault");
    const volumeId = await newVolume(service, "cp-disk");
    await ask(service, "POST", `${cbr}/vaults/${vaultId}/addresources`, { body: { resources: [{ id: volumeId, type: "OS::Cinder::Volume" }] } });
    const made = await ask(service, "POST", `${cbr}/checkpoints`, {
      body: { checkpoint: { vault_id: vaultId, parameters: { name: "daily", description: "d", retention_duration: 7 } } },
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const { checkpoint } = made.body;
    assert.equal(checkpoint.status, "protecting");
    assert.deepEqual(checkpoint.extra_info, { name: "daily", description: "d", retention_duration: 7 });
    const [resource] = checkpoint.vault.resources;
    assert.deepEqual(
      [resource.resource_size, resource.backup_size, resource.backup_count, resource.extra_info],
      ["1", "0", resource.backup_count, ""],
    );
    assert.equal(typeof resource.backup_count, "string");
    assert.deepEqual((await ask(service, "GET", `${cbr}/checkpoints/${checkpoint.id}`)).body.checkpoint.id, checkpoint.id);
    const { operation_logs: logs, count } = (await ask(service, "GET", `${cbr}/operation-logs?vault_id=${vaultId}`)).body;
    assert.equal(count, 1);
    const [log] = logs;
    assert.deepEqual([log.operation_type, log.status, log.error_info], ["backup", "waiting", { code: "", message: "" }]);
    assert.ok(!("incremental" in log.extra_info.backup));
    assert.equal(log.extra_info.common.progress, 0);
    assert.equal((await ask(service, "GET", `${cbr}/operation-logs?vault_id=${vaultId}&operation_type=copy`)).body.count, 0);
    const { backups } = (await ask(service, "GET", `${cbr}/backups?checkpoint_id=${checkpoint.id}`)).body;
    assert.deepEqual(
      backups.map((backup: { status: string; id: string }) => backup.status),
      ["waiting_protect"],
    );
    const cancelled = await ask(service, "POST", `${cbr}/operation-logs/${log.id}/cancel`);
    assert.equal(cancelled.status, 200, JSON.stringify(cancelled.body));
    assert.equal((await ask(service, "POST", `${own}/tasks/${unknownId}/cancel`)).body.error_code, "BackupService.6500");
  });

  test("what is not there is 404 with its code; bad parameters name their field", async () => {
    const code = async (url: string) => {
      const answer = await ask(service, "GET", cbr + url);
      return [answer.status, answer.body.error_code];
    };
    assert.deepEqual(await code(`/checkpoints/${unknownId}`), [404, "BackupService.6217"]);
    assert.deepEqual(await code("/checkpoints/x"), [404, "BackupService.6217"]);
    assert.deepEqual(await code(`/operation-logs/${unknownId}`), [404, "BackupService.6500"]);
    const post = (checkpoint: unknown) => ask(service, "POST", `${cbr}/checkpoints`, { body: { checkpoint } });
    assert.equal((await post({ vault_id: unknownId })).body.error_code, "BackupService.6105");
    assert.match((await post({ vault_id: unknownId, parameters: { retention_duration: 0 } })).body.error_msg, /retention_duration/);
    assert.match((await post({ vault_id: unknownId, parameters: { incremental: "no" } })).body.error_msg, /checkpoint\.parameters\.incremental/);
    assert.match((await post({ parameters: {} })).body.error_msg, /vault_id/);
  });
});
