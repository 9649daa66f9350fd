import { describeFailure, failedEnd } from "./failure.ts";
import { markDeletionFailed, removeBackupData, removeBackupRows } from "./remove-backup.ts";
import { StaleTaskError, finishTask } from "./run.ts";
import type { TaskRun } from "./run.ts";

/** Deletes one backup. May be repeated from the start after a crash. */
export async function runDelete({ context, task }: TaskRun): Promise<void> {
  const backup = await context.catalog.backups.get(task.projectId, task.backupId!);
  try {
    if (backup !== undefined) await removeBackupData(context, backup);
    await context.catalog.transaction(async (tables) => {
      await finishTask(tables, task, { status: "success", now: context.clock.nowUs() });
      if (backup !== undefined) await removeBackupRows(tables, backup);
    });
  } catch (error) {
    if (error instanceof StaleTaskError) throw error;
    const failure = describeFailure(error);
    context.log.warn({ err: error, taskId: task.id, backupId: task.backupId }, "a deletion failed");
    await context.catalog.transaction(async (tables) => {
      const now = context.clock.nowUs();
      await finishTask(tables, task, failedEnd(failure, now));
      if (backup !== undefined) await markDeletionFailed(tables, backup, error, now);
    });
  }
}
