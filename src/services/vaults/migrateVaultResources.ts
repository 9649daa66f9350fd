import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { maxVaultResources, refuseUnlessBound } from "../support/bindings.ts";
import { fillOf, settleUsage } from "../support/capacity.ts";
import { findVault } from "../support/find.ts";

/**
 * Puts resources of a vault into another one of the project, with every backup that they have in it: all of them or none. Tells their ids.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids` (a status, or a lock on the first vault), `vaultBusy`, `vaultTypeMismatch`,
 * `vaultTakesNoResources`, `resourceNotInVault`, `resourcesBeingRemoved`, `vaultTooManyResources`, `vaultFull`, `invalidRequest`
 */
export async function migrateVaultResources(
  context: Context,
  caller: Caller,
  input: { vaultId: Id; destinationVaultId: Id; resourceIds: Id[] },
): Promise<Id[]> {
  const resourceIds = [...new Set(input.resourceIds)];
  if (resourceIds.length === 0) throw new DomainError("invalidRequest", "resource_ids: at least one is needed", { field: "resource_ids" });
  await context.catalog.transaction(async (tables) => {
    const [from, to] = [await findVault(tables, caller, input.vaultId), await findVault(tables, caller, input.destinationVaultId)];
    await refuseVaults(tables, from, to);
    const leaving = await refuseUnlessBound(tables, from, resourceIds);
    const before = await fillOf(tables, to.projectId, to.id);
    for (const binding of leaving) await move(context, tables, binding.resourceId, from, to);
    for (const binding of leaving) {
      await tables.vaults.unbind(from.id, binding.resourceId);
      await tables.vaults.bind({ ...binding, vaultId: to.id });
    }
    if ((await tables.vaults.resourcesOf(to.id)).length > maxVaultResources)
      throw new DomainError("vaultTooManyResources", `resource_ids: a vault holds at most ${maxVaultResources}`, { field: "resource_ids" });
    const { allocatedGib } = await tables.vaults.usage(to.id);
    if (allocatedGib > to.sizeGib) {
      throw new DomainError("vaultFull", `resource_ids: the resources of vault ${to.id} would be ${allocatedGib} GB, it has ${to.sizeGib} GB`, {
        field: "resource_ids",
      });
    }
    await settleUsage(context, tables, before);
  });
  return resourceIds;
}

async function refuseVaults(tables: Tables, from: Vault, to: Vault): Promise<void> {
  const field = "destination_vault_id";
  if (from.id === to.id) throw new DomainError("invalidRequest", `${field}: is the vault that the resources are in`, { field });
  if (from.locked) throw new DomainError("vaultStatusForbids", `Vault ${from.id} is locked: its resources and their backups cannot leave it.`);
  for (const vault of [from, to]) {
    if (vault.status !== "available" && vault.status !== "lock")
      throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}; migrating needs it available.`);
    const [task] = await tables.tasks.openTasks({ vaultId: vault.id });
    if (task !== undefined) throw new DomainError("vaultBusy", `Task ${task.id} (${task.type}) of vault ${vault.id} is not over yet.`);
  }
  if (to.protectType !== from.protectType) throw new DomainError("vaultTakesNoResources", `Vault ${to.id} is for ${to.protectType}.`, { field });
  if (to.objectType !== from.objectType)
    throw new DomainError("vaultTypeMismatch", `${field}: vault ${to.id} is for ${to.objectType}, not for ${from.objectType}`, { field });
}

async function move(context: Context, tables: Tables, resourceId: Id, from: Vault, to: Vault): Promise<void> {
  const movedAt = context.clock.nowUs();
  await tables.vaults.insertMove({ projectId: from.projectId, resourceId, fromVaultId: from.id, toVaultId: to.id, movedAt });
  for (const checkpointId of await tables.backups.moveToVault(resourceId, from.id, to.id)) await tables.checkpoints.settle(checkpointId);
}
