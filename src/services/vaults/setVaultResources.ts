import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { refuseUnlessBound } from "../support/bindings.ts";
import { findVault } from "../support/find.ts";

/**
 * Leaves resources of a vault out of automatic backups, or takes them in again: all of them or, when one is refused, none. Tells their ids.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids`, `resourceNotInVault`, `resourcesBeingRemoved`, `invalidRequest`
 */
export async function setVaultResources(
  context: Context,
  caller: Caller,
  input: { vaultId: Id; resourceIds: Id[]; suspended: boolean },
): Promise<Id[]> {
  const resourceIds = [...new Set(input.resourceIds)];
  if (resourceIds.length === 0) throw new DomainError("invalidRequest", "resource_ids: at least one is needed", { field: "resource_ids" });
  await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (vault.status !== "available" && vault.status !== "lock") throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}.`);
    await refuseUnlessBound(tables, vault, resourceIds);
    for (const resourceId of resourceIds) await tables.vaults.setSuspended(vault.id, resourceId, input.suspended);
  });
  return resourceIds;
}
