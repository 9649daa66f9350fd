import assert from "node:assert/strict";
import type { VaultPolicy } from "#model/policy.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleBackup, sampleCheckpoint, sampleOrganizationPolicy, samplePolicy, sampleProject, sampleStatistics, sampleVault } from "./samples.ts";
import type { Catalog } from "./tables.ts";

const page = { limit: 100, offset: 0 };
const other = "11111111111111111111111111111111";
const applied = (vaultId: string, policyId: string, over: Partial<VaultPolicy> = {}): VaultPolicy => ({
  vaultId,
  policyId,
  operationType: "backup",
  destinationVaultId: null,
  nextDueAt: 100,
  expiryDue: false,
  ...over,
});

async function vaults(catalog: Catalog, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const vault = sampleVault({ id: `vault-${i}`, implicit: false });
    await catalog.vaults.insert(vault);
    ids.push(vault.id);
  }
  return ids;
}

onEachDatabase("policies are found in their project, newest first", async (catalog) => {
  const { policies } = catalog;
  const first = samplePolicy({ id: "p1", createdAt: 1 });
  const second = samplePolicy({ id: "p2", createdAt: 2, operationType: "replication", enabled: false, updatedAt: 9 });
  const foreign = samplePolicy({ id: "p3", projectId: other });
  for (const policy of [first, second, foreign]) await policies.insert(policy);
  assert.deepEqual(await policies.get(sampleProject, "p2"), second);
  assert.equal(await policies.get(other, "p2"), undefined);
  assert.deepEqual(await policies.list(sampleProject, {}), [second, first]);
  assert.deepEqual(await policies.list(sampleProject, { operationType: "backup" }), [first]);
  await policies.update("p1", { name: "new", schedule: { patterns: ["x"], timezone: "Europe/Berlin" } });
  assert.deepEqual(await policies.get(sampleProject, "p1"), { ...first, name: "new", schedule: { patterns: ["x"], timezone: "Europe/Berlin" } });
  await policies.remove("p1");
  assert.deepEqual(await policies.list(sampleProject, {}), [second]);
});

onEachDatabase("a vault has one policy of each operation", async (catalog) => {
  const { policies } = catalog;
  const [vault, second] = await vaults(catalog, 2);
  for (const id of ["a", "b"]) await policies.insert(samplePolicy({ id }));
  await policies.insert(samplePolicy({ id: "r", operationType: "replication" }));
  const replication = applied(vault!, "r", { operationType: "replication", destinationVaultId: "there", nextDueAt: null });
  await policies.apply(applied(vault!, "a"));
  await policies.apply(replication);
  await policies.apply(applied(vault!, "b"));
  await policies.apply(applied(second!, "b"));
  assert.deepEqual(await policies.ofVault(vault!), [applied(vault!, "b"), replication]);
  assert.deepEqual(await policies.vaultsOf("b"), [applied(vault!, "b"), applied(second!, "b")]);
  assert.deepEqual((await policies.list(sampleProject, { vaultId: vault! })).map(({ id }) => id).toSorted(), ["b", "r"]);
  assert.deepEqual(
    (await catalog.vaults.list(sampleProject, { policyId: "r" }, page)).items.map(({ id }) => id),
    [vault],
  );
  assert.equal(await policies.withdraw(vault!, "a"), false);
  assert.equal(await policies.withdraw(vault!, "r"), true);
  await catalog.vaults.remove(second!);
  assert.deepEqual(await policies.vaultsOf("b"), [applied(vault!, "b")]);
  await policies.remove("b");
  assert.deepEqual(await policies.ofVault(vault!), []);
});

onEachDatabase("what is due is advanced by one only", async (catalog) => {
  const { policies } = catalog;
  const [late, later, idle] = await vaults(catalog, 3);
  const policy = samplePolicy({ id: "p" });
  await policies.insert(policy);
  await policies.apply(applied(late!, "p", { nextDueAt: 50 }));
  await policies.apply(applied(later!, "p", { nextDueAt: 60 }));
  await policies.apply(applied(idle!, "p", { nextDueAt: null }));
  const due = await policies.due(60, 10);
  assert.deepEqual(due, [
    { application: applied(late!, "p", { nextDueAt: 50 }), policy },
    { application: applied(later!, "p", { nextDueAt: 60 }), policy },
  ]);
  assert.deepEqual(await policies.due(49, 10), []);
  assert.equal((await policies.due(60, 1)).length, 1);
  assert.equal(await policies.advance(due[0]!.application, 70), true);
  assert.equal(await policies.advance(due[0]!.application, 70), false, "it is no longer what it was");
  await policies.setNextDue("p", null);
  assert.deepEqual(await policies.due(1000, 10), []);
});

onEachDatabase("what may go is looked at where it was asked for, and not while a policy is disabled", async (catalog) => {
  const { policies } = catalog;
  const [one, two] = await vaults(catalog, 2);
  for (const id of ["p", "q"]) await policies.insert(samplePolicy({ id }));
  await policies.apply(applied(one!, "p"));
  await policies.apply(applied(two!, "q"));
  const at = async (isDue: boolean): Promise<string[]> => (await policies.toExpire(isDue)).map(({ application }) => application.vaultId);
  assert.deepEqual(await at(true), []);
  assert.deepEqual(await at(false), [one, two]);
  await policies.requestExpiry(one!);
  await policies.requestExpiry(two!);
  await policies.update("q", { enabled: false });
  assert.deepEqual(await at(true), [one]);
  await policies.clearExpiry(applied(one!, "p"));
  assert.deepEqual(await at(true), []);
});

onEachDatabase("automatic backups stay past their time while the policy of their vault is disabled", async (catalog) => {
  const [vaultId] = await vaults(catalog, 1);
  await catalog.checkpoints.insert(sampleCheckpoint({ id: "c", vaultId: vaultId! }));
  const common = { vaultId: vaultId!, checkpointId: "c", expiredAt: 5 };
  await catalog.backups.insert(sampleBackup({ ...common, id: "auto", autoTrigger: true }));
  await catalog.backups.insert(sampleBackup({ ...common, id: "manual" }));
  await catalog.backups.insert(sampleBackup({ ...common, id: "failed", autoTrigger: true, status: "error", statistics: null }));
  await catalog.backups.insert(sampleBackup({ ...common, id: "undeletable", autoTrigger: true, status: "error", statistics: sampleStatistics }));
  await catalog.backups.insert(sampleBackup({ ...common, id: "child", autoTrigger: true, parentId: "auto" }));
  const expired = async (): Promise<string[]> => (await catalog.backups.expired(10, 100)).map(({ id }) => id).toSorted();
  assert.deepEqual(await expired(), ["auto", "manual"]);
  await catalog.policies.insert(samplePolicy({ id: "p", enabled: false }));
  await catalog.policies.apply(applied(vaultId!, "p"));
  assert.deepEqual(await expired(), ["manual"]);
  const retained = (await catalog.policies.retained(vaultId!)).map(({ id, state }) => `${id} ${state}`).toSorted();
  assert.deepEqual(retained, ["auto complete", "failed failed"]);
});

onEachDatabase("incremental backups are counted from the last full one", async (catalog) => {
  const { policies } = catalog;
  const [vaultId] = await vaults(catalog, 1);
  const backup = { vaultId: vaultId!, resourceId: "r" };
  assert.equal(await policies.sinceFull(vaultId!, "r"), undefined);
  await policies.noteBackup({ ...backup, incremental: false, createdAt: 1 });
  await policies.noteBackup({ ...backup, incremental: true, createdAt: 2 });
  await policies.noteBackup({ ...backup, incremental: true, createdAt: 3 });
  assert.deepEqual(await policies.sinceFull(vaultId!, "r"), { fullAt: 1, incrementals: 2 });
  await policies.noteBackup({ ...backup, incremental: false, createdAt: 4 });
  assert.deepEqual(await policies.sinceFull(vaultId!, "r"), { fullAt: 4, incrementals: 0 });

  await catalog.checkpoints.insert(sampleCheckpoint({ id: "c", vaultId: vaultId! }));
  for (const [createdAt, incremental] of [false, true, false, true, true].entries()) {
    const resourceId = "counted";
    await catalog.backups.insert(sampleBackup({ vaultId: vaultId!, checkpointId: "c", resourceId, createdAt, incremental }));
  }
  await policies.recountFull(sampleProject);
  assert.deepEqual(await policies.sinceFull(vaultId!, "counted"), { fullAt: 2, incrementals: 2 });
  assert.deepEqual(await policies.sinceFull(vaultId!, "r"), { fullAt: 4, incrementals: 0 });
});

onEachDatabase("organization policies are found in their domain", async ({ organizationPolicies, policies }) => {
  const first = sampleOrganizationPolicy({ id: "o1", createdAt: 1, scope: [sampleProject] });
  const second = sampleOrganizationPolicy({ id: "o2", createdAt: 2, operationType: "replication" });
  const foreign = sampleOrganizationPolicy({ id: "o3", createdAt: 3, domainId: "elsewhere" });
  for (const policy of [first, second, foreign]) await organizationPolicies.insert(policy);
  assert.deepEqual(await organizationPolicies.get("default", "o1"), first);
  assert.equal(await organizationPolicies.get("elsewhere", "o1"), undefined);
  assert.deepEqual(await organizationPolicies.list({ domainId: "default", operationType: "backup" }, page), { items: [first], count: 1 });
  assert.deepEqual((await organizationPolicies.list({}, page)).items, [foreign, second, first]);
  await organizationPolicies.update("o1", { policyEnabled: false });
  assert.deepEqual(await organizationPolicies.get("default", "o1"), { ...first, policyEnabled: false });
  await organizationPolicies.remove("o1");
  assert.equal(await organizationPolicies.get("default", "o1"), undefined);
  const ofIt = samplePolicy({ organizationPolicyId: "o2" });
  await policies.insert(ofIt);
  await policies.insert(samplePolicy());
  assert.deepEqual(await policies.ofOrganization("o2"), [ofIt]);
});
