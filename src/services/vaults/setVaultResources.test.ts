import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { removeVaultResources } from "./removeVaultResources.ts";
import { setVaultResources } from "./setVaultResources.ts";
import { showVault } from "./showVault.ts";
import { disk, emptyVolume, newVault, refused } from "../../../test/support/vaults.ts";
import { makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

test("resources are suspended and resumed all or none; a backup by hand is made all the same", async () => {
  const caller = await world.newCaller();
  const [a, b] = [await emptyVolume(world, caller, "a"), await emptyVolume(world, caller, "b")];
  const { vault } = await newVault(world, caller, { resources: [disk(a), disk(b)] });
  const set = (suspended: boolean, ...resourceIds: string[]) =>
    setVaultResources(world.context, caller, { vaultId: vault.id, resourceIds, suspended });
  const suspended = async () => (await showVault(world.context, caller, { vaultId: vault.id })).resources.map((each) => each.suspended);
  assert.deepEqual(await set(true, b.id, b.id), [b.id]);
  assert.deepEqual(await suspended(), [false, true]);
  await refused(set(true, a.id, world.context.random.uuid()), "resourceNotInVault", "6135");
  await refused(set(true), "invalidRequest");
  assert.deepEqual(await suspended(), [false, true]);
  assert.equal((await createCheckpoint(world.context, caller, { vaultId: vault.id })).resources.length, 2);
  await world.runAll();
  await set(false, a.id, b.id);
  assert.deepEqual(await suspended(), [false, false]);
  await removeVaultResources(world.context, caller, { vaultId: vault.id, resourceIds: [a.id] });
  await refused(set(true, a.id), "resourcesBeingRemoved", "6134");
  await refused(
    setVaultResources(world.context, await world.newCaller(), { vaultId: vault.id, resourceIds: [b.id], suspended: true }),
    "vaultNotFound",
  );
  await world.catalog.vaults.update(vault.id, { status: "error" });
  await refused(set(true, b.id), "vaultStatusForbids", "6112");
});
