import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { providerIds } from "#model/provider.ts";
import type { Context } from "../context.ts";
import { doom, isKeptByLock, refuseUnlessRemovable, topLevelBackups } from "../support/doom.ts";
import { findVault } from "../support/find.ts";
import { stopReceivedRestores } from "../support/shares.ts";
import { newTask } from "../support/new-task.ts";

/**
 * Deletes a vault with every backup in it; it is `deleting` until it is gone. What others share into it is given up.
 * @throws DomainError `vaultNotFound`, `vaultNotDeletable`, `vaultStatusForbids`, `backupRunning`, `backupInUse`, `backupNotDeletable`
 */
export async function deleteVault(context: Context, caller: Caller, input: { vaultId: Id }): Promise<{ taskId: Id }> {
  const taskId = await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (vault.status !== "available" && vault.status !== "error") {
      throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}; deleting needs it available.`);
    }
    const backups = await topLevelBackups(tables, vault.projectId, vault.id);
    const now = context.clock.nowUs();
    for (const backup of backups) {
      if (backup.status === "waiting_delete" || backup.status === "deleting") continue;
      if (await isKeptByLock(tables, backup, now))
        throw new DomainError("vaultNotDeletable", `Vault ${vault.id} is locked and keeps backups whose time is not over.`);
      await refuseUnlessRemovable(tables, backup, now);
      await doom(tables, backup, now);
    }
    for (const share of await tables.members.inVault(vault.id)) {
      await stopReceivedRestores(tables, share.backupId, now, share.destProjectId);
      await tables.members.remove(share.id);
    }
    await tables.vaults.update(vault.id, { status: "deleting", updatedAt: now });
    const task = newTask(context, {
      projectId: caller.projectId,
      type: "vault_delete",
      vaultId: vault.id,
      vaultName: vault.name,
      providerId: providerIds[vault.objectType],
      requestId: caller.requestId,
    });
    await tables.tasks.insert(task);
    return task.id;
  });
  context.wake();
  return { taskId };
}
