import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, projectA, projectB, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { billing, cbr, newVault, newVolume, stored, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

test("a vault is changed; the answer equals the next query, and a lock stays", async () => {
  const id = await newVault(service, "v-put", { bind_rules: { tags: [{ key: "a", value: "b" }] } });
  const put = (vault: unknown) => ask(service, "PUT", `${cbr}/vaults/${id}`, { body: { vault } });
  const changed = await put({
    name: "v-put-2",
    billing: { size: 250, consistent_level: "crash_consistent" },
    auto_bind: true,
    auto_expand: true,
    smn_notify: false,
    threshold: 70,
    bind_rules: { tags: [] },
    locked: true,
  });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.deepEqual((await ask(service, "GET", `${cbr}/vaults/${id}`)).body, changed.body);
  const { vault } = changed.body;
  assert.deepEqual(
    [vault.name, vault.billing.size, vault.auto_bind, vault.auto_expand, vault.smn_notify, vault.threshold, vault.bind_rules, vault.locked],
    ["v-put-2", 250, true, true, false, 70, {}, true],
  );
  const unlocked = await put({ locked: false });
  assert.deepEqual([unlocked.status, unlocked.body.error_code], [400, "BackupService.6110"]);
  assert.match(unlocked.body.error_msg, /locked: .*from true to false/);
  for (const [body, code, field] of [
    [{ name: "" }, "BackupService.9900", "vault.name"],
    [{ threshold: "80" }, "BackupService.9900", "vault.threshold"],
    [{ billing: { size: 0 } }, "BackupService.9900", "vault.billing.size"],
    [{ billing: { consistent_level: "app_consistent" } }, "BackupService.6126", "consistent_level"],
    [undefined, "BackupService.9900", "vault"],
  ] as const) {
    const answer = await put(body);
    assert.deepEqual([answer.status, answer.body.error_code], [400, code], JSON.stringify(body));
    assert.ok(answer.body.error_msg.includes(field), answer.body.error_msg);
  }
  assert.equal((await ask(service, "PUT", `${cbr}/vaults/${unknownId}`, { body: { vault: {} } })).body.error_code, "BackupService.6105");
});

test("what a vault cannot be has a code of its own", async () => {
  const create = async (more: object, over: object = {}) =>
    (await ask(service, "POST", `${cbr}/vaults`, { body: { vault: { name: "x", resources: [], billing: { ...billing, ...over }, ...more } } })).body
      .error_code;
  const resources = Array.from({ length: 257 }, () => ({ id: service.context.random.uuid(), type: "OS::Cinder::Volume" }));
  assert.equal(await create({ resources }), "BackupService.6100");
  assert.equal(await create({}, { protect_type: "hybrid" }), "BackupService.6116");
  assert.equal(await create({}, { consistent_level: "app_consistent" }), "BackupService.6126");
  assert.equal(await create({ description: "x".repeat(65) }), "BackupService.9900");
  assert.equal(await create({ tags: Array.from({ length: 21 }, (_, i) => ({ key: `k${i}` })) }), "BackupService.9900");
  const volumeId = await newVolume(service, "for-replicas");
  const replicas = await newVault(service, "replicas", { billing: { ...billing, protect_type: "replication" } });
  const body = { resources: [{ id: volumeId, type: "OS::Cinder::Volume" }] };
  assert.equal((await ask(service, "POST", `${cbr}/vaults/${replicas}/addresources`, { body })).body.error_code, "BackupService.6108");
});

test("alerts of all vaults are set, the summary adds them up", async () => {
  const mine = `member@${projectB}`;
  const at = `/v3/${projectB}`;
  const ids: string[] = [];
  for (const name of ["a", "b"]) {
    const made = await ask(service, "POST", `${at}/vaults`, { as: mine, body: { vault: { name, billing, resources: [] } } });
    ids.push(made.body.vault.id);
  }
  const updated = await ask(service, "PUT", `${at}/vaults/batch-update`, { as: mine, body: { vault: { smn_notify: false, threshold: 60 } } });
  assert.deepEqual([updated.status, updated.body.updated_vaults_id.toSorted()], [200, ids.toSorted()]);
  assert.equal((await ask(service, "GET", `${at}/vaults/${ids[0]}`, { as: mine })).body.vault.threshold, 60);
  assert.equal((await ask(service, "PUT", `${at}/vaults/batch-update`, { as: mine, body: { vault: {} } })).status, 400);
  const summary = await ask(service, "GET", `${at}/vaults/summary`, { as: `reader@${projectB}` });
  assert.deepEqual([summary.status, summary.body], [200, { size: 200, used_size: 0 }]);
});

test("vaults elsewhere need project and region, and a role there", async () => {
  const list = (query: string) => ask(service, "GET", `${cbr}/vaults/external?${query}`);
  for (const [query, field] of [
    ["region_id=RegionOne", "external_project_id"],
    [`external_project_id=${projectA}`, "region_id"],
    [`external_project_id=${projectA}&region_id=mars`, "region_id"],
  ] as const) {
    const answer = await list(query);
    assert.equal(answer.status, 400);
    assert.ok(answer.body.error_msg.includes(field));
  }
  assert.equal((await list(`external_project_id=${projectB}&region_id=RegionOne`)).status, 403);
  const id = await newVault(service, "v-external");
  const own = `external_project_id=${projectA}&region_id=RegionOne`;
  const shown = await list(`${own}&vault_id=${id}&object_type=server`);
  assert.deepEqual([shown.status, shown.body.count, shown.body.vaults[0].id], [200, 1, id], "vault_id overrides the other filters");
  assert.equal((await list(`${own}&objcet_type=vmware`)).body.count, 0);
  assert.equal((await list(`${own}&objcet_type=server`)).body.count, 0);
});

test("orders and charging do not exist, and say so", async () => {
  for (const [method, path] of [
    ["POST", "vaults/order"],
    ["POST", "vaults/change-charge-mode"],
    ["POST", "orders/change"],
    ["PUT", "orders/1"],
  ] as const) {
    const answer = await ask(service, method, `${cbr}/${path}`, { body: { vault: {} } });
    assert.deepEqual([answer.status, answer.body.error_code], [400, "BackupService.6109"], path);
  }
});

test("backups are filtered by their vaults' enterprise project and usage", async () => {
  const [first, second] = [await stored(service), await stored(service)];
  await service.context.catalog.vaults.update(first.vaultId, { enterpriseProjectId: "ep-1", sizeGib: 1 });
  await service.context.catalog.vaults.update(second.vaultId, { enterpriseProjectId: "ep-1" });
  const used = 0.5 * 1024 ** 3;
  for (const [backup, storedBytes] of [
    [first.full, used],
    [first.increment, 0],
    [first.child, 0],
    [second.full, used],
  ] as const)
    await service.context.catalog.backups.update(backup.id, { statistics: { ...backup.statistics!, storedBytes } });
  const vaults = async (query: string): Promise<string[]> => {
    const answer = await ask(service, "GET", `${cbr}/backups?${query}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return [...new Set<string>(answer.body.backups.map((backup: { vault_id: string }) => backup.vault_id))].toSorted();
  };
  const both = [first.vaultId, second.vaultId].toSorted();
  assert.deepEqual(await vaults("enterprise_project_id=ep-1"), both);
  assert.deepEqual(await vaults("enterprise_project_id=ep-1&used_percent=50"), [first.vaultId]);
  assert.deepEqual(await vaults("enterprise_project_id=ep-1&used_percent=51"), []);
  assert.deepEqual(await vaults("enterprise_project_id=other"), []);
  assert.deepEqual(await vaults("enterprise_project_id=all_granted_eps&used_percent=50"), [first.vaultId]);
  assert.equal((await ask(service, "GET", `${cbr}/backups?used_percent=0`)).status, 400);
  const listed = (await ask(service, "GET", `${cbr}/vaults?enterprise_project_id=ep-1`)).body;
  assert.deepEqual([listed.count, listed.vaults.map((vault: { id: string }) => vault.id).toSorted()], [2, both]);
});
