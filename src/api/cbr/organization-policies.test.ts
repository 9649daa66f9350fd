import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { syncOrganizationPolicies } from "#services/organization-policies/syncOrganizationPolicies.ts";
import { ask, type DialectApp, openDialectApp, projectA, projectB } from "../../../test/support/dialect-app.ts";
import { cbr, newVault, unknownId } from "../../../test/support/dialect-fixtures.ts";

const projectC = "0".repeat(31).concat("3");
let service: DialectApp;
const addProject = (id: string, domainId = "default") =>
  service.context.catalog.identity.insertProject({ id, domainId, name: id, description: "", enabled: true });
before(async () => {
  service = await openDialectApp();
  const { identity } = service.context.catalog;
  await identity.insertDomain({ id: "default", name: "Default" });
  await identity.insertDomain({ id: "elsewhere", name: "Elsewhere" });
  for (const id of [projectA, projectB]) await addProject(id);
  await addProject("f".repeat(32), "elsewhere");
});
after(() => service.close());

const pattern = ["FREQ=WEEKLY;BYDAY=MO;BYHOUR=14;BYMINUTE=00"];
const body = (over: object = {}) => ({
  policy: {
    name: "for-all",
    operation_type: "backup",
    policy_name: "from-above",
    policy_enabled: true,
    policy_operation_definition: { max_backups: 5 },
    policy_trigger: { properties: { pattern } },
    ...over,
  },
});
const as = `admin@${projectA}`;
const root = `${cbr}/organization-policies`;
const admin = (method: "GET" | "POST" | "PUT" | "DELETE", url: string, sent?: object) => ask(service, method, url, { as, body: sent });
const policiesOf = async (project: string) => (await ask(service, "GET", `/v3/${project}/policies`, { as: `member@${project}` })).body.policies;

describe("CBR: organization policies", () => {
  test("every project of the domain gets one, also a later one, and only the organization changes it", async () => {
    const made = await admin("POST", root, body({ description: "d" }));
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const { policy } = made.body;
    const { id, policy_trigger: trigger, ...rest } = policy;
    assert.deepEqual(trigger.properties.pattern, pattern);
    assert.deepEqual(rest, {
      name: "for-all",
      description: "d",
      domain_id: "default",
      domain_name: "Default",
      effective_scope: "all",
      operation_type: "backup",
      policy_name: "from-above",
      policy_enabled: true,
      policy_operation_definition: { max_backups: 5 },
      status: "available",
    });
    const [there] = await policiesOf(projectB);
    assert.deepEqual([there.name, there.policy_type, there.trigger.properties.pattern], ["from-above", "organization_policy_v2", pattern]);
    assert.deepEqual(await policiesOf("f".repeat(32)), []);
    const own = { as: `member@${projectB}`, body: { policy: { name: "mine" } } };
    assert.equal((await ask(service, "PUT", `/v3/${projectB}/policies/${there.id}`, own)).status, 403);
    assert.equal((await ask(service, "DELETE", `/v3/${projectB}/policies/${there.id}`, { as: own.as })).status, 403);

    await addProject(projectC);
    assert.equal((await admin("GET", `${root}/${id}`)).body.policy.status, "syncing");
    assert.deepEqual([await syncOrganizationPolicies(service.context), await syncOrganizationPolicies(service.context)], [1, 0]);
    assert.deepEqual((await admin("GET", `${root}/${id}`)).body, { policy });
    const detail = (await admin("GET", `${root}/${id}/policy-detail?limit=2&offset=1`)).body;
    assert.deepEqual([detail.count, detail.policies.length, detail.limit, detail.offset], [3, 2, 2, 1]);
    assert.deepEqual(Object.keys(detail.policies[0]).toSorted(), ["domain_id", "policy_id", "project_id", "status"]);

    const changed = { policy: { policy_enabled: false, policy_trigger: { properties: { pattern: ["FREQ=DAILY;BYHOUR=1"] } } } };
    assert.equal((await admin("PUT", `${root}/${id}`, changed)).body.policy.policy_enabled, false);
    const [now] = await policiesOf(projectC);
    assert.deepEqual([now.enabled, now.trigger.properties.pattern, now.operation_definition.max_backups], [false, ["FREQ=DAILY;BYHOUR=1"], 5]);
    const listed = (await admin("GET", `${root}?operation_type=backup`)).body;
    assert.deepEqual([listed.count, listed.policies[0].id], [1, id]);
    assert.equal((await admin("GET", `${root}?operation_type=replication`)).body.count, 0);
    assert.deepEqual((await admin("GET", root)).body, listed);
  });

  test("a project that leaves the scope keeps what it uses, as its own", async () => {
    const { policy } = (await admin("POST", root, body({ name: "some", policy_name: "scoped", effective_scope: `${projectA},${projectB}` }))).body;
    const scoped = async (project: string) => (await policiesOf(project)).filter(({ name }: { name: string }) => name === "scoped");
    assert.deepEqual([(await scoped(projectA)).length, (await scoped(projectB)).length, (await scoped(projectC)).length], [1, 1, 0]);
    const vaultId = await newVault(service, "v-org");
    const [used] = await scoped(projectA);
    const applied = await ask(service, "POST", `${cbr}/vaults/${vaultId}/associatepolicy`, { body: { policy_id: used.id } });
    assert.equal(applied.status, 200, "its users apply it");
    assert.equal((await admin("PUT", `${root}/${policy.id}`, { policy: { effective_scope: projectC } })).body.policy.effective_scope, projectC);
    assert.deepEqual([(await scoped(projectB)).length, (await scoped(projectC)).length], [0, 1]);
    const [kept] = await scoped(projectA);
    assert.deepEqual([kept.id, kept.policy_type, kept.associated_vaults.length], [used.id, "organization_policy_removed", 1]);
    assert.equal((await admin("DELETE", `${root}/${policy.id}`)).status, 204);
    assert.equal((await scoped(projectC)).length, 0);
    assert.equal((await admin("GET", `${root}/${policy.id}`)).body.error_code, "BackupService.6000");
    assert.equal((await ask(service, "DELETE", `${cbr}/policies/${kept.id}`)).status, 204);
  });

  test("they are for administrators, and bad input changes nothing", async () => {
    assert.equal((await ask(service, "POST", root, { body: body() })).status, 403);
    const count = async () => (await admin("GET", `${root}?operation_type=backup`)).body.count;
    const before_ = await count();
    const bad: [object, string][] = [
      [{ policy_name: "a b" }, "policy_name"],
      [{ policy_enabled: "yes" }, "policy_enabled"],
      [{ policy_operation_definition: { max_backups: 1, retention_duration_days: 1 } }, "retention_duration_days"],
      [{ policy_trigger: { properties: { pattern: ["x"] } } }, "pattern"],
      [{ effective_scope: unknownId }, "effective_scope"],
      [{ effective_scope: "f".repeat(32) }, "effective_scope"],
    ];
    for (const [over, field] of bad) {
      const answer = await admin("POST", root, body(over));
      assert.deepEqual([answer.status, answer.body.error_code], [400, "BackupService.9900"], JSON.stringify(over));
      assert.ok(answer.body.error_msg.includes(field), answer.body.error_msg);
    }
    assert.equal((await admin("POST", root, body({ operation_type: "x" }))).body.error_code, "BackupService.6117");
    for (const id of [unknownId, "nonsense"]) assert.equal((await admin("PUT", `${root}/${id}`, { policy: {} })).status, 404);
    assert.equal(await count(), before_);
  });
});
