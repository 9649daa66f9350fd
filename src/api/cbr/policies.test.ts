import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, type DialectApp, openDialectApp, projectA, projectB } from "../../../test/support/dialect-app.ts";
import { billing, cbr, newVault, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
  const { identity } = service.context.catalog;
  await identity.insertDomain({ id: "default", name: "Default" });
  for (const id of [projectA, projectB]) await identity.insertProject({ id, domainId: "default", name: id, description: "", enabled: true });
});
after(() => service.close());

const weekly = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=14;BYMINUTE=00";
const daily = "FREQ=DAILY;INTERVAL=1;BYHOUR=6;BYMINUTE=00";
const body = (over: object = {}) => ({
  policy: { name: "p-1", operation_type: "backup", operation_definition: {}, trigger: { properties: { pattern: [weekly] } }, ...over },
});
const post = (sent: object, as?: string) =>
  ask(service, "POST", as === undefined ? `${cbr}/policies` : `/v3/${projectB}/policies`, { body: sent, ...(as === undefined ? {} : { as }) });
async function made(over: object = {}) {
  const answer = await post(body(over));
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.policy;
}
const act = (vaultId: string, verb: "associate" | "dissociate", sent: object) =>
  ask(service, "POST", `${cbr}/vaults/${vaultId}/${verb}policy`, { body: sent });
const told = ({ status, body: answer }: { status: number; body: { error_code: string } }) => [status, answer.error_code];

describe("CBR: policies", () => {
  test("what is created is what is shown, the rules as they were sent", async () => {
    const pattern = [weekly, "FREQ=DAILY;INTERVAL=2;BYHOUR=6;BYMINUTE=05"];
    const definition = { max_backups: 20, day_backups: 3, week_backups: 0, year_backups: 1, timezone: "UTC+08:00", full_backup_interval: -1 };
    const policy = await made({ operation_definition: definition, trigger: { properties: { pattern } } });
    assert.deepEqual((await ask(service, "GET", `${cbr}/policies/${policy.id}`)).body, { policy });
    const { id, trigger, ...rest } = policy;
    assert.deepEqual(rest, {
      name: "p-1",
      enabled: true,
      operation_type: "backup",
      operation_definition: definition,
      associated_vaults: [],
      policy_type: "custom_policy",
    });
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual([trigger.name, trigger.type, trigger.properties.pattern], ["default", "time", pattern]);
    assert.match(trigger.properties.start_time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.equal(trigger.properties.timezone, undefined);
  });

  test("permanent retention as Terraform asks for it, and what other clients leave empty, are accepted", async () => {
    const both = await made({ operation_definition: { max_backups: -1, retention_duration_days: -1 } });
    assert.deepEqual(both.operation_definition, { max_backups: -1, retention_duration_days: -1 });
    const days = await made({ operation_definition: { retention_duration_days: 30, day_backups: 0, max_backups: -1, timezone: "UTC+00:00" } });
    assert.deepEqual(days.operation_definition, { retention_duration_days: 30, day_backups: 0, max_backups: -1, timezone: "UTC+00:00" });
    const empty = await made({ operation_definition: { destination_region: "", destination_project_id: "", timezone: "" } });
    assert.deepEqual(empty.operation_definition, {});
  });

  test("a zone of the schedule and one of the retention may be names", async () => {
    const policy = await made({
      operation_definition: { max_backups: 1, day_backups: 1, timezone: "Europe/Berlin" },
      trigger: { properties: { pattern: [daily], timezone: "Europe/Berlin" } },
    });
    assert.equal(policy.trigger.properties.timezone, "Europe/Berlin");
    assert.equal(policy.operation_definition.timezone, "Europe/Berlin");
  });

  test("bad input names its field and makes nothing", async () => {
    const count = async () => (await ask(service, "GET", `${cbr}/policies`)).body.count;
    const before_ = await count();
    const bad: [object, string][] = [
      [{ name: "" }, "name"],
      [{ name: "a b" }, "name"],
      [{ operation_definition: undefined }, "operation_definition"],
      [{ operation_definition: { max_backups: 100_000 } }, "max_backups"],
      [{ operation_definition: { max_backups: -2 } }, "max_backups"],
      [{ operation_definition: { day_backups: 101, timezone: "UTC+00:00" } }, "day_backups"],
      [{ operation_definition: { max_backups: 1, day_backups: 1 } }, "timezone"],
      [{ operation_definition: { max_backups: 1, day_backups: 1, timezone: "Berlin" } }, "timezone"],
      [{ operation_definition: { max_backups: 1, retention_duration_days: 1 } }, "retention_duration_days"],
      [{ operation_definition: { retention_duration_days: 1, year_backups: 1, timezone: "UTC+00:00" } }, "retention_duration_days"],
      [{ operation_definition: { full_backup_interval: 101 } }, "full_backup_interval"],
      [{ operation_definition: { enable_acceleration: true } }, "enable_acceleration"],
      [{ operation_definition: { destination_region: "r2" } }, "destination_region"],
      [{ operation_type: "replication", operation_definition: { destination_region: "r2" } }, "destination_project_id"],
      [{ operation_type: "replication", operation_definition: { destination_project_id: "x" } }, "destination_project_id"],
      [{ trigger: { properties: {} } }, "pattern"],
      [{ trigger: { properties: { pattern: [] } } }, "pattern"],
      [{ trigger: { properties: { pattern: [daily, "FREQ=HOURLY"] } } }, "pattern[1]"],
      [{ trigger: { properties: { pattern: [daily], timezone: "Mars/Base" } } }, "timezone"],
    ];
    for (const [over, field] of bad) {
      const answer = await post(body(over));
      assert.deepEqual(told(answer), [400, "BackupService.9900"], JSON.stringify(over));
      assert.ok(answer.body.error_msg.includes(field), `${answer.body.error_msg} should name ${field}`);
    }
    assert.deepEqual(told(await post(body({ operation_type: "archive" }))), [400, "BackupService.6117"]);
    assert.equal(await count(), before_);
  });

  test("an update replaces what it gives and leaves the rest", async () => {
    const policy = await made({ operation_definition: { max_backups: 5, day_backups: 1, timezone: "UTC+01:00" } });
    const put = (sent: object) => ask(service, "PUT", `${cbr}/policies/${policy.id}`, { body: { policy: sent } });
    const renamed = (await put({ name: "other", enabled: false })).body.policy;
    assert.deepEqual(renamed, { ...policy, name: "other", enabled: false });
    const changed = (await put({ operation_definition: { max_backups: 7 }, trigger: { properties: { pattern: [daily] } } })).body.policy;
    assert.deepEqual(changed.operation_definition, { max_backups: 7 }, "as a whole");
    assert.deepEqual(changed.trigger, { ...policy.trigger, properties: { ...policy.trigger.properties, pattern: [daily] } });
    assert.deepEqual([changed.name, changed.enabled], ["other", false]);
    assert.deepEqual(told(await put({ operation_definition: { max_backups: "7" } })), [400, "BackupService.9900"]);
    assert.deepEqual(told(await put({ trigger: { properties: { pattern: ["x"] } } })), [400, "BackupService.9900"]);
    assert.deepEqual((await ask(service, "GET", `${cbr}/policies/${policy.id}`)).body.policy, changed);
  });

  test("a project has 32 of each kind, and sees its own only", async () => {
    const as = `member@${projectB}`;
    for (let i = 0; i < 32; i++) assert.equal((await post(body({ name: `p-${i}` }), as)).status, 200);
    assert.deepEqual(told(await post(body(), as)), [400, "BackupService.6001"]);
    const other = await post(body({ operation_type: "replication" }), as);
    assert.equal(other.status, 200);
    const list = async (query: string) => (await ask(service, "GET", `/v3/${projectB}/policies${query}`, { as })).body;
    assert.deepEqual([(await list("")).count, (await list("")).policies.length], [33, 33]);
    assert.deepEqual((await list("?operation_type=replication")).policies, [other.body.policy]);
    assert.equal((await list("?operation_type=archive")).count, 0);
    assert.deepEqual(told(await ask(service, "GET", `${cbr}/policies/${other.body.policy.id}`)), [404, "BackupService.6000"]);
    for (const method of ["GET", "DELETE"] as const) {
      assert.deepEqual(told(await ask(service, method, `${cbr}/policies/nonsense`)), [404, "BackupService.6000"]);
    }
    assert.equal((await ask(service, "DELETE", `/v3/${projectB}/policies/${other.body.policy.id}`, { as })).status, 204);
    assert.equal((await list("?operation_type=replication")).count, 0);
  });
});

describe("CBR: policies of vaults", () => {
  test("applying is idempotent; the second of a kind takes the place of the first", async () => {
    const vaultId = await newVault(service, "v-policies");
    const [first, second] = [await made({ name: "first" }), await made({ name: "second" })];
    for (let times = 0; times < 2; times++) {
      const answer = await act(vaultId, "associate", { policy_id: first.id });
      assert.deepEqual([answer.status, answer.body], [200, { associate_policy: { vault_id: vaultId, policy_id: first.id } }]);
    }
    const shown = (await ask(service, "GET", `${cbr}/policies/${first.id}`)).body.policy;
    const [associated] = shown.associated_vaults;
    assert.deepEqual([associated.vault_id, associated.destination_vault_id], [vaultId, null]);
    assert.match(associated.next_run_at, /T14:00:00\.000000$/);
    assert.equal((await act(vaultId, "associate", { add_policy_ids: [second.id] })).status, 200);
    const ofVault = (await ask(service, "GET", `${cbr}/policies?vault_id=${vaultId}`)).body;
    assert.deepEqual([ofVault.count, ofVault.policies[0].id], [1, second.id]);
    const listed = (await ask(service, "GET", `${cbr}/vaults?policy_id=${second.id}`)).body;
    assert.deepEqual([listed.count, listed.vaults[0].id], [1, vaultId]);
    assert.equal((await ask(service, "GET", `${cbr}/vaults?policy_id=${first.id}`)).body.count, 0);
    assert.deepEqual(told(await act(vaultId, "dissociate", { policy_id: first.id })), [404, "BackupService.6002"]);
    const gone = await act(vaultId, "dissociate", { policy_id: second.id });
    assert.deepEqual([gone.status, gone.body], [200, { dissociate_policy: { vault_id: vaultId, policy_id: second.id } }]);
    assert.equal((await ask(service, "GET", `${cbr}/policies?vault_id=${vaultId}`)).body.count, 0);
  });

  test("a vault may be made with its policy, and loses it when that is deleted", async () => {
    const policy = await made();
    const vaultId = await newVault(service, "v-with", { backup_policy_id: policy.id });
    assert.equal((await ask(service, "GET", `${cbr}/policies?vault_id=${vaultId}`)).body.policies[0].id, policy.id);
    assert.equal((await act(vaultId, "associate", { policy_id: policy.id })).status, 200, "again, as Terraform does");
    const unknown = await ask(service, "POST", `${cbr}/vaults`, {
      body: { vault: { name: "v", billing, resources: [], backup_policy_id: unknownId } },
    });
    assert.deepEqual(told(unknown), [404, "BackupService.6000"]);
    assert.equal((await ask(service, "DELETE", `${cbr}/policies/${policy.id}`)).status, 204);
    assert.equal((await ask(service, "GET", `${cbr}/policies?vault_id=${vaultId}`)).body.count, 0);
    assert.equal((await ask(service, "GET", `${cbr}/vaults/${vaultId}`)).status, 200);
  });

  test("what does not fit is refused with its code, and changes nothing", async () => {
    const vaultId = await newVault(service, "v-fit");
    const replicas = await newVault(service, "v-replicas", { billing: { ...billing, protect_type: "replication" } });
    const backup = await made();
    const replication = await made({ operation_type: "replication" });
    const away = await made({ operation_type: "replication", operation_definition: { destination_region: "r-9", destination_project_id: projectB } });
    const foreign = await made({ operation_type: "replication", operation_definition: { destination_project_id: projectB } });
    const refusals: [string, object, string][] = [
      [unknownId, { policy_id: backup.id }, "6105"],
      [vaultId, { policy_id: unknownId }, "6000"],
      [vaultId, {}, "9900"],
      [vaultId, { add_policy_ids: Array.from({ length: 11 }, () => backup.id) }, "9900"],
      [vaultId, { policy_id: backup.id, add_policy_ids: [(await made()).id] }, "6127"],
      [vaultId, { policy_id: backup.id, destination_vault_id: replicas }, "9900"],
      [replicas, { policy_id: backup.id }, "6127"],
      [vaultId, { policy_id: replication.id }, "9900"],
      [vaultId, { policy_id: replication.id, destination_vault_id: unknownId }, "6120"],
      [vaultId, { policy_id: replication.id, destination_vault_id: vaultId }, "6119"],
      [vaultId, { policy_id: away.id, destination_vault_id: replicas }, "6118"],
      [vaultId, { policy_id: foreign.id, destination_vault_id: unknownId }, "6118"],
      [vaultId, { add_policy_ids: [backup.id, replication.id], destination_vault_id: unknownId }, "6120"],
    ];
    for (const [id, sent, code] of refusals) {
      assert.equal((await act(id, "associate", sent)).body.error_code, `BackupService.${code}`, JSON.stringify(sent));
    }
    assert.equal((await ask(service, "GET", `${cbr}/policies?vault_id=${vaultId}`)).body.count, 0);
    const both = await act(vaultId, "associate", { add_policy_ids: [backup.id, replication.id], destination_vault_id: replicas });
    assert.equal(both.status, 200, JSON.stringify(both.body));
    const [shown] = (await ask(service, "GET", `${cbr}/policies/${replication.id}`)).body.policy.associated_vaults;
    assert.equal(shown.destination_vault_id, replicas);
    const moved = { policy: { operation_definition: { destination_project_id: projectB } } };
    assert.deepEqual(told(await ask(service, "PUT", `${cbr}/policies/${replication.id}`, { body: moved })), [400, "BackupService.6003"]);
  });
});
