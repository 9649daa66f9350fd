import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import type { Context } from "../context.ts";
import { doom, refuseUnlessRemovable } from "../support/doom.ts";
import { findBackupView } from "../support/find.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";

/**
 * Queues the deletion of a top-level backup. Later incrementals do not need it: only what nothing else uses goes away.
 * With `refuseDependents` a backup that later ones were compared with is refused, as Cinder does.
 * @throws DomainError `backupNotFound`, `backupLocked`, `backupRunning`, `backupNotDeletable`, `backupInUse`, `hasDependents`
 */
export async function deleteBackup(context: Context, caller: Caller, input: { backupId: Id; refuseDependents?: boolean }): Promise<{ taskId: Id }> {
  const taskId = await context.catalog.transaction(async (tables) => {
    if ((await tables.members.accepted(caller.projectId, input.backupId)) !== undefined)
      throw new DomainError("backupNotDeletable", `Backup ${input.backupId} is another project's; give up the share instead.`);
    const { backup, hasDependents } = await findBackupView(tables, caller, input.backupId);
    if (backup.parentId !== null) {
      throw new DomainError("backupNotDeletable", `Backup ${backup.id} is part of server backup ${backup.parentId}; it goes with that one.`);
    }
    if (input.refuseDependents === true && hasDependents) {
      throw new DomainError("hasDependents", `Backup ${backup.id} has incremental backups that depend on it.`);
    }
    return queueDeletion(context, tables, backup, caller.requestId);
  });
  context.wake();
  return { taskId };
}

/** Marks a top-level backup `waiting_delete` and queues the task that removes it; `policyId` is whose rule lets it go. */
export async function queueDeletion(
  context: Context,
  tables: Tables,
  backup: Backup,
  requestId: string | null,
  policyId: Id | null = null,
): Promise<Id> {
  const now = context.clock.nowUs();
  await refuseUnlessRemovable(tables, backup, now);
  await doom(tables, backup, now);
  const vault = await tables.vaults.get(backup.projectId, backup.vaultId);
  const task = newTask(context, {
    projectId: backup.projectId,
    type: "delete",
    vaultId: backup.vaultId,
    vaultName: vault?.name ?? null,
    checkpointId: backup.checkpointId,
    policyId,
    providerId: providerIds[objectTypeOf[backup.resourceType]],
    backupId: backup.id,
    backupName: backup.name,
    resourceId: backup.resourceId,
    resourceName: backup.resourceName,
    resourceType: backup.resourceType,
    input: asInput({ previousStatus: backup.status }),
    requestId,
  });
  await tables.tasks.insert(task);
  return task.id;
}
