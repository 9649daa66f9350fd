import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, type DialectApp, openDialectApp, projectA } from "../../../test/support/dialect-app.ts";
import { cbr, newVault, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
let vaultId: string;
before(async () => {
  service = await openDialectApp();
  vaultId = await newVault(service, "tagged");
  await newVault(service, "plain");
});
after(() => service.close());

const tagsOf = async () => (await ask(service, "GET", `${cbr}/vault/${vaultId}/tags`)).body;
const action = (body: object) => ask(service, "POST", `${cbr}/vault/${vaultId}/tags/action`, { body });
const instances = (body: object) => ask(service, "POST", `${cbr}/vault/resource_instances/action`, { body });

test("one by one and in batches, as the published text says", async () => {
  const set = await ask(service, "POST", `${cbr}/vault/${vaultId}/tags`, { body: { tag: { key: "stage", value: "test" } } });
  assert.deepEqual([set.status, set.raw.length], [204, 0]);
  assert.equal((await action({ action: "create", tags: [{ key: "owner", value: "" }] })).status, 204);
  assert.deepEqual(await tagsOf(), {
    tags: [
      { key: "stage", value: "test" },
      { key: "owner", value: "" },
    ],
  });
  assert.equal((await action({ action: "delete", tags: [{ key: "owner" }, { key: "owner" }, { key: "x".repeat(127) }] })).status, 204);
  const project = await ask(service, "GET", `${cbr}/vault/tags`);
  assert.deepEqual(project.body, { tags: [{ key: "stage", values: ["test"] }] });
  const shown = await ask(service, "GET", `${cbr}/vaults/${vaultId}`);
  assert.deepEqual(shown.body.vault.tags, [{ key: "stage", value: "test" }]);
});

test("vaults are found by tags and names, and counted", async () => {
  const { vault } = (await ask(service, "GET", `${cbr}/vaults/${vaultId}`)).body;
  const found = await instances({ action: "filter", limit: "10", offset: "0", tags: [{ key: "stage", values: ["*es"] }] });
  assert.deepEqual(
    [found.status, found.body],
    [
      200,
      {
        resources: [
          { resource_id: vaultId, resource_name: "tagged", resource_detail: { vault }, tags: [{ key: "stage", value: "test" }], sys_tags: [] },
        ],
        total_count: 1,
      },
    ],
  );
  assert.deepEqual((await instances({ action: "count", not_tags: [{ key: "stage", values: [] }] })).body, { total_count: 1 });
  assert.deepEqual((await instances({ action: "count", matches: [{ key: "resource_name", value: "TAG" }] })).body, { total_count: 1 });
  assert.deepEqual((await instances({ action: "count", sys_tags: [{ key: "_sys_enterprise_project_id", values: ["0"] }] })).body, { total_count: 0 });
  assert.deepEqual((await instances({ action: "count", object_type: "rds" })).body, { total_count: 0 });
  assert.equal((await instances({ action: "filter", offset: "1" })).body.resources.length, 1);
});

test("what is refused names the field, has the published code and changes nothing", async () => {
  const before = await tagsOf();
  const wrong: [Promise<{ status: number; body: { error_code: string; error_msg: string } }>, number, string, RegExp][] = [
    [ask(service, "GET", `${cbr}/vault/no-id/tags`), 400, "9900", /vault_id/],
    [ask(service, "GET", `${cbr}/vault/${unknownId}/tags`), 404, "6105", /vault/],
    [ask(service, "DELETE", `${cbr}/vault/${vaultId}/tags/absent`), 404, "6601", /key/],
    [ask(service, "DELETE", `${cbr}/vault/${vaultId}/tags/%20`), 400, "9900", /key/],
    [action({ action: "replace", tags: [] }), 400, "9900", /action/],
    [action({ action: "delete" }), 400, "9900", /tags/],
    [action({ action: "create", tags: [{ key: "a" }, { key: " a" }] }), 400, "9900", /tags/],
    [action({ action: "create", sys_tags: [{ key: "_sys_enterprise_project_id", value: "0" }] }), 400, "9900", /sys_tags/],
    [action({ action: "create", tags: Array.from({ length: 20 }, (_, i) => `k${i}`).map((key) => ({ key, value: "v" })) }), 400, "6600", /tags/],
    [ask(service, "POST", `${cbr}/vault/${vaultId}/tags`, { body: { tag: { key: "a/b", value: "" } } }), 400, "9900", /tag/],
    [ask(service, "POST", `${cbr}/vault/${vaultId}/tags`, { body: { tag: { key: "a", value: "v".repeat(44) } } }), 400, "9900", /tag\.value/],
    [instances({ action: "count", limit: "1" }), 400, "9900", /limit/],
    [instances({ action: "filter", limit: "1001" }), 400, "9900", /limit/],
    [instances({ action: "filter", limit: "ten" }), 400, "9900", /limit/],
    [instances({ action: "filter", matches: [{ key: "id", value: "x" }] }), 400, "9900", /matches/],
    [instances({ action: "filter", tags: [{ key: "a" }, { key: "a" }] }), 400, "9900", /tags/],
    [instances({}), 400, "9900", /action/],
  ];
  for (const [answer, status, code, names] of wrong) {
    const { status: got, body } = await answer;
    assert.deepEqual([got, body.error_code], [status, `BackupService.${code}`], body.error_msg);
    assert.match(body.error_msg, names);
  }
  assert.deepEqual(await tagsOf(), before);
});

test("a reader looks and does not touch", async () => {
  const as = `reader@${projectA}`;
  assert.equal((await ask(service, "GET", `${cbr}/vault/${vaultId}/tags`, { as })).status, 200);
  assert.equal((await ask(service, "GET", `${cbr}/vault/tags`, { as })).status, 200);
  assert.equal((await ask(service, "POST", `${cbr}/vault/resource_instances/action`, { as, body: { action: "count" } })).status, 200);
  assert.equal((await ask(service, "POST", `${cbr}/vault/${vaultId}/tags`, { as, body: { tag: { key: "a", value: "" } } })).status, 403);
  assert.equal((await ask(service, "DELETE", `${cbr}/vault/${vaultId}/tags/stage`, { as })).status, 403);
});
