import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { newTask } from "./new-task.ts";
import { isReadableStatus } from "./shares.ts";
import type { Readable } from "./shares.ts";
import { asInput } from "./task-input.ts";
import type { RestoreTaskInput } from "./task-input.ts";

/**
 * A backup of the project must be available, a shared one readable: that its owner restores it too is no obstacle.
 * @throws DomainError `backupNotRestorable` unless the backup (and every disk inside a server backup) is, `vaultUnavailableForRestore`
 */
export async function refuseUnlessRestorable(tables: Tables, { backup, share }: Readable): Promise<void> {
  const fits = ({ status }: Backup): boolean => (share === null ? status === "available" : isReadableStatus(status));
  if (!fits(backup)) throw new DomainError("backupNotRestorable", `Backup ${backup.id} is ${backup.status}; only an available one can be restored.`);
  const vault = await tables.vaults.get(share?.destProjectId ?? backup.projectId, share === null ? backup.vaultId : (share.vaultId ?? ""));
  if (vault !== undefined && vault.status !== "available" && vault.status !== "lock") {
    throw new DomainError("vaultUnavailableForRestore", `Vault ${vault.id} is ${vault.status}; a restore needs it available.`);
  }
  for (const child of await tables.backups.children(backup.id)) {
    if (!fits(child)) throw new DomainError("backupNotRestorable", `Disk backup ${child.id} inside it is ${child.status}, not available.`);
  }
}

/**
 * Marks the backup `waiting_restore` and queues the task. The volumes must have been taken already. A shared backup is its owner's: it keeps its
 * status, and the task is about the target.
 */
export async function insertRestore(
  context: Context,
  tables: Tables,
  caller: Caller,
  { backup, share }: Readable,
  input: RestoreTaskInput,
): Promise<Task> {
  if (share === null) await markWaiting(tables, backup, context.clock.nowUs());
  const vaultId = share === null ? backup.vaultId : share.vaultId;
  const vault = vaultId === null ? undefined : await tables.vaults.get(caller.projectId, vaultId);
  const parent = backup.parentId === null ? undefined : await tables.backups.get(backup.projectId, backup.parentId);
  const task = newTask(context, {
    projectId: caller.projectId,
    type: "restore",
    vaultId,
    vaultName: vault?.name ?? null,
    checkpointId: share === null ? backup.checkpointId : null,
    providerId: providerIds[objectTypeOf[(parent ?? backup).resourceType]],
    backupId: backup.id,
    backupName: backup.name,
    resourceId: share === null ? backup.resourceId : input.targetResourceId,
    resourceName: share === null ? backup.resourceName : input.targetResourceName,
    resourceType: backup.resourceType,
    input: asInput(share === null ? input : { ...input, ownerProjectId: backup.projectId }),
    requestId: caller.requestId,
  });
  await tables.tasks.insert(task);
  return task;
}

async function markWaiting(tables: Tables, backup: Backup, updatedAt: number): Promise<void> {
  for (const each of [backup, ...(await tables.backups.children(backup.id))]) {
    if (!(await tables.backups.transition(each.id, "waiting_restore", { updatedAt }, ["available"]))) {
      throw new DomainError("backupNotRestorable", `Backup ${each.id} is ${each.status}; only an available one can be restored.`);
    }
  }
}
