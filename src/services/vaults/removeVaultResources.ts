import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { providerIds } from "#model/provider.ts";
import type { Context } from "../context.ts";
import { refuseUnlessBound } from "../support/bindings.ts";
import { doom, refuseUnlessRemovable, topLevelBackups } from "../support/doom.ts";
import { findVault } from "../support/find.ts";
import { newTask } from "../support/new-task.ts";

/**
 * Takes resources out of a vault: deletes all their backups in it, then unbinds them; one task for each. Tells their ids.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids`, `resourceNotInVault`, `resourcesBeingRemoved`, `backupRunning`, `backupInUse`
 */
export async function removeVaultResources(context: Context, caller: Caller, input: { vaultId: Id; resourceIds: Id[] }): Promise<Id[]> {
  const resourceIds = [...new Set(input.resourceIds)];
  if (resourceIds.length === 0) throw new DomainError("invalidRequest", "resource_ids: at least one is needed", { field: "resource_ids" });
  await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (vault.status !== "available" && vault.status !== "lock") throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}.`);
    if (vault.locked) throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is locked: its resources and their backups cannot be removed.`);
    const now = context.clock.nowUs();
    for (const { resourceId, type } of await refuseUnlessBound(tables, vault, resourceIds)) {
      for (const backup of await topLevelBackups(tables, vault.projectId, vault.id, resourceId)) {
        if (backup.status === "waiting_delete" || backup.status === "deleting") continue;
        await refuseUnlessRemovable(tables, backup, now);
        await doom(tables, backup, now);
      }
      const resource = await tables.resources.get(caller.projectId, resourceId);
      await tables.tasks.insert(
        newTask(context, {
          projectId: caller.projectId,
          type: "remove_resource",
          vaultId: vault.id,
          vaultName: vault.name,
          providerId: providerIds[vault.objectType],
          resourceId,
          resourceName: resource?.name ?? null,
          resourceType: type,
          requestId: caller.requestId,
        }),
      );
    }
  });
  context.wake();
  return resourceIds;
}
