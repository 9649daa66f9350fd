import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { failBackup } from "./failBackup.ts";
import { failReplica } from "./failReplica.ts";
import { failRestore } from "./failRestore.ts";
import { describeFailure, failedEnd } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { markDeletionFailed } from "./remove-backup.ts";
import { failReplication } from "./runReplication.ts";
import { StaleTaskError, TaskStop, finishTask } from "./run.ts";
import { topLevelBackups } from "../support/doom.ts";

/**
 * Puts right what a worker that died left behind. Deletions are done again from the start; a backup is failed and its root object removed;
 * a restore is failed, and what it was to overwrite keeps its content where it was restored beside.
 */
export async function recoverTask(context: Context, task: Task): Promise<void> {
  const stopped = describeFailure(new TaskStop("shutdown"));
  try {
    switch (task.type) {
      case "backup":
        return await failBackup(context, task, stopped);
      case "restore":
        return await failRestore(context, task, restoreStopped(stopped), () => true);
      case "delete":
      case "remove_resource":
      case "vault_delete":
      case "check":
      case "collect":
      case "replication":
      case "replica":
      case "sync":
        await context.catalog.tasks.requeue(task.id, task.fencingToken, context.clock.nowUs());
    }
  } catch (error) {
    if (!(error instanceof StaleTaskError)) throw error;
  }
}

/** Ends a task that an unforeseen error stopped, so that nothing stays in a state that only it could leave. */
export async function abandonTask(context: Context, task: Task, error: unknown): Promise<void> {
  const failure = describeFailure(error);
  if (task.type === "backup") return failBackup(context, task, failure);
  if (task.type === "restore") return failRestore(context, task, failure, () => true);
  if (task.type === "replication") return failReplication({ context, task }, failure);
  if (task.type === "replica") return failReplica(context, task, failure);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, failedEnd(failure, now));
    if (task.type === "check" || task.type === "collect" || task.type === "sync") return;
    const backup = task.backupId === null ? undefined : await tables.backups.get(task.projectId, task.backupId);
    if (backup !== undefined) await markDeletionFailed(tables, backup, error, now);
    if (task.type === "vault_delete") await tables.vaults.update(task.vaultId!, { status: "error", updatedAt: now });
    const left = task.type === "delete" ? [] : await topLevelBackups(tables, task.projectId, task.vaultId!, task.resourceId ?? undefined);
    for (const each of left) await markDeletionFailed(tables, each, error, now);
  });
}

const restoreStopped = (stopped: Failure): Failure => ({
  ...stopped,
  message: `${stopped.message}. A volume of the service's own holds its old content, or all of the backup if it had just been replaced.`,
});
