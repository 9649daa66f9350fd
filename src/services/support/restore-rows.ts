import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { newTask } from "./new-task.ts";
import { asInput } from "./task-input.ts";
import type { RestoreTaskInput } from "./task-input.ts";

/**
 * @throws DomainError `backupNotRestorable` unless the backup (and every disk inside a server backup) is available, `vaultUnavailableForRestore`
 */
export async function refuseUnlessRestorable(tables: Tables, backup: Backup): Promise<void> {
  if (backup.status !== "available")
    throw new DomainError("backupNotRestorable", `Backup ${backup.id} is ${backup.status}; only an available one can be restored.`);
  const vault = await tables.vaults.get(backup.projectId, backup.vaultId);
  if (vault !== undefined && vault.status !== "available" && vault.status !== "lock") {
    throw new DomainError("vaultUnavailableForRestore", `Vault ${vault.id} is ${vault.status}; a restore needs it available.`);
  }
  for (const child of await tables.backups.children(backup.id)) {
    if (child.status !== "available")
      throw new DomainError("backupNotRestorable", `Disk backup ${child.id} inside it is ${child.status}, not available.`);
  }
}

/** Marks the backup `waiting_restore` and queues the task. The volumes must have been taken already. */
export async function insertRestore(context: Context, tables: Tables, caller: Caller, backup: Backup, input: RestoreTaskInput): Promise<Task> {
  const now = context.clock.nowUs();
  for (const each of [backup, ...(await tables.backups.children(backup.id))]) {
    if (!(await tables.backups.transition(each.id, "waiting_restore", { updatedAt: now }, ["available"]))) {
      throw new DomainError("backupNotRestorable", `Backup ${each.id} is ${each.status}; only an available one can be restored.`);
    }
  }
  const vault = await tables.vaults.get(backup.projectId, backup.vaultId);
  const parent = backup.parentId === null ? undefined : await tables.backups.get(backup.projectId, backup.parentId);
  const task = newTask(context, {
    projectId: backup.projectId,
    type: "restore",
    vaultId: backup.vaultId,
    vaultName: vault?.name ?? null,
    checkpointId: backup.checkpointId,
    providerId: providerIds[objectTypeOf[(parent ?? backup).resourceType]],
    backupId: backup.id,
    backupName: backup.name,
    resourceId: backup.resourceId,
    resourceName: backup.resourceName,
    resourceType: backup.resourceType,
    input: asInput(input),
    requestId: caller.requestId,
  });
  await tables.tasks.insert(task);
  return task;
}
