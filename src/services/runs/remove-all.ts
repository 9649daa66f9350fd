import type { Id } from "#model/ids.ts";
import { topLevelBackups } from "../support/doom.ts";
import { markDeletionFailed, removeBackupData, removeBackupRows } from "./remove-backup.ts";
import type { TaskRun } from "./run.ts";

export interface Removed {
  totalCount: number;
  failCount: number;
}

/**
 * Deletes every backup of a vault, or of one resource in it, one by one; what fails is marked and counted, the rest goes on.
 * What a first attempt removed before a crash is not counted again.
 */
export async function removeAll({ context, task, control }: TaskRun, vaultId: Id, resourceId?: Id): Promise<Removed> {
  const backups = await topLevelBackups(context.catalog, task.projectId, vaultId, resourceId);
  const removed: Removed = { totalCount: backups.length, failCount: 0 };
  for (const backup of backups) {
    control.signal.throwIfAborted();
    try {
      await removeBackupData(context, backup);
      await context.catalog.transaction((tables) => removeBackupRows(tables, backup));
    } catch (error) {
      removed.failCount++;
      context.log.warn({ err: error, taskId: task.id, backupId: backup.id }, "a deletion failed");
      await context.catalog.transaction((tables) => markDeletionFailed(tables, backup, error, context.clock.nowUs()));
    }
  }
  return removed;
}
