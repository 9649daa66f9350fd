import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ErrorCode } from "#model/errors.ts";
import { expandedSizeGib, usedPercent } from "#model/vault.ts";
import { batchUpdateVaults } from "./batchUpdateVaults.ts";
import { listExternalVaults } from "./listExternalVaults.ts";
import { showVault } from "./showVault.ts";
import { showVaultSummary } from "./showVaultSummary.ts";
import { updateVault } from "./updateVault.ts";
import type { UpdateVaultInput } from "./updateVault.ts";
import { all, disk, emptyVolume, newVault, refused } from "../../../test/support/vaults.ts";
import { makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

test("what is given changes, the rest stays, and a query answers the same", async () => {
  const caller = await world.newCaller();
  const { vault } = await newVault(world, caller, { bindRules: { tags: [{ key: "a", value: "b" }] }, autoExpand: true });
  const update = (input: Omit<UpdateVaultInput, "vaultId">) => updateVault(world.context, caller, { vaultId: vault.id, ...input });
  const changed = await update({ name: "new", sizeGib: 20, autoBind: true, smnNotify: false, threshold: 55 });
  const { updatedAt, ...rest } = changed.vault;
  assert.deepEqual({ ...rest, updatedAt: null }, { ...vault, name: "new", sizeGib: 20, autoBind: true, smnNotify: false, threshold: 55 });
  assert.ok(updatedAt !== null && updatedAt >= vault.createdAt);
  assert.deepEqual(await showVault(world.context, caller, { vaultId: vault.id }), changed);
  const rules = { tags: ["dev", "test"].map((value) => ({ key: "env", value })) };
  assert.deepEqual((await update({ bindRules: rules })).vault.bindRules, rules, "one key, several values");
  assert.deepEqual((await update({ bindRules: { tags: [] }, autoBind: false, autoExpand: false })).vault.bindRules, {});
});

test("a change that cannot be is refused, and nothing is changed", async () => {
  const caller = await world.newCaller();
  const volume = await emptyVolume(world, caller, "disk", 5);
  const { vault } = await newVault(world, caller, { resources: [disk(volume)] });
  const before = await showVault(world.context, caller, { vaultId: vault.id });
  const cases: [Omit<UpdateVaultInput, "vaultId">, ErrorCode, string][] = [
    [{ name: "a b" }, "invalidRequest", "9900"],
    [{ name: "fine", threshold: 0 }, "invalidRequest", "9900"],
    [{ name: "fine", sizeGib: 4 }, "vaultSizeInvalid", "6101"],
    [{ sizeGib: 0 }, "vaultSizeInvalid", "6101"],
    [{ sizeGib: 1001 }, "vaultSizeInvalid", "6101"],
    [{ consistentLevel: "app_consistent" }, "vaultNotApplicationConsistent", "6126"],
    [{ bindRules: { tags: Array.from({ length: 6 }, (_, i) => ({ key: `k${i}`, value: null })) } }, "invalidRequest", "9900"],
    [{ bindRules: { tags: [{ key: "a=b", value: null }] } }, "invalidRequest", "9900"],
  ];
  for (const [input, code, cbr] of cases) await refused(updateVault(world.context, caller, { vaultId: vault.id, ...input }), code, cbr);
  const stranger = await world.newCaller();
  await refused(updateVault(world.context, stranger, { vaultId: vault.id, name: "mine" }), "vaultNotFound", "6105");
  assert.deepEqual(await showVault(world.context, caller, { vaultId: vault.id }), before);
  await world.catalog.vaults.update(vault.id, { status: "error" });
  await refused(updateVault(world.context, caller, { vaultId: vault.id, name: "late" }), "vaultNotChangeable", "6110");
});

test("a lock is for good", async () => {
  const caller = await world.newCaller();
  const { vault } = await newVault(world, caller);
  const update = (locked: boolean) => updateVault(world.context, caller, { vaultId: vault.id, locked });
  assert.equal((await update(false)).vault.locked, false);
  assert.equal((await update(true)).vault.locked, true);
  await assert.rejects(update(false), /locked: the vault not support to modify locked attribute from true to false./);
  assert.equal((await update(true)).vault.locked, true);
});

test("alerts are set on every vault of the project that stays", async () => {
  const caller = await world.newCaller();
  const [a, b, gone] = [await newVault(world, caller), await newVault(world, caller), await newVault(world, caller)];
  const foreign = await newVault(world, await world.newCaller());
  await world.catalog.vaults.update(gone.vault.id, { status: "deleting" });
  const ids = await batchUpdateVaults(world.context, caller, { threshold: 33 });
  assert.deepEqual(ids.toSorted(), [a.vault.id, b.vault.id].toSorted());
  const settings = async (projectId: string, id: string) => {
    const vault = await world.catalog.vaults.get(projectId, id);
    return [vault?.threshold, vault?.smnNotify];
  };
  assert.deepEqual(await settings(caller.projectId, a.vault.id), [33, true]);
  await batchUpdateVaults(world.context, caller, { smnNotify: false });
  assert.deepEqual(await settings(caller.projectId, b.vault.id), [33, false]);
  assert.deepEqual(await settings(foreign.vault.projectId, foreign.vault.id), [80, true]);
  await refused(batchUpdateVaults(world.context, caller, {}), "invalidRequest");
  await refused(batchUpdateVaults(world.context, caller, { threshold: 101 }), "invalidRequest");
});

test("the summary is of this project's vaults", async () => {
  const caller = await world.newCaller();
  assert.deepEqual(await showVaultSummary(world.context, caller), { sizeGib: 0, usedBytes: 0 });
  await newVault(world, caller, { sizeGib: 7 });
  await newVault(world, caller, { sizeGib: 5 });
  await newVault(world, await world.newCaller(), { sizeGib: 100 });
  assert.deepEqual(await showVaultSummary(world.context, caller), { sizeGib: 12, usedBytes: 0 });
});

test("another project's vaults are seen by those who have a role there", async () => {
  const [caller, owner] = [await world.newCaller(), await world.newCaller()];
  const { vault } = await newVault(world, owner);
  const { userId, projectId } = caller;
  await world.catalog.identity.insertUser({ id: userId, domainId: "default", name: "u", passwordHash: "", enabled: true, defaultProjectId: null });
  const list = (project: string, region = "r1") => listExternalVaults(world.context, caller, { projectId: project, region, filter: {}, page: all });
  await refused(list(owner.projectId), "forbidden");
  await refused(list("f".repeat(32)), "forbidden");
  await refused(list(owner.projectId, "elsewhere"), "invalidRequest");
  assert.equal((await list(projectId)).count, 0);
  await world.catalog.identity.grantRole(userId, owner.projectId, "reader");
  assert.deepEqual(
    (await list(owner.projectId)).items.map((view) => view.vault.id),
    [vault.id],
  );
});

test("a vault grows by quarters until what it holds fits", () => {
  const gib = 1024 ** 3;
  assert.equal(expandedSizeGib({ sizeGib: 10 }, 10 * gib - 1, 1000), 10);
  assert.equal(expandedSizeGib({ sizeGib: 10 }, 10 * gib, 1000), 13);
  assert.equal(expandedSizeGib({ sizeGib: 10 }, 100 * gib, 1000), 109);
  assert.equal(expandedSizeGib({ sizeGib: 10 }, 100 * gib, 60), 60);
  assert.equal(expandedSizeGib({ sizeGib: 1 }, gib, 2), 2);
  assert.equal(usedPercent({ sizeGib: 10 }, 8 * gib), 80);
});
