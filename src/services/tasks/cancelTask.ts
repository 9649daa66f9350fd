import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { failBackup } from "../runs/failBackup.ts";
import { targetOf } from "../replication/targets.ts";
import { failReplica } from "../runs/failReplica.ts";
import { failRestore } from "../runs/failRestore.ts";
import { describeFailure } from "../runs/failure.ts";
import { failReplication } from "../runs/runReplication.ts";
import { StaleTaskError, TaskStop, finishTask } from "../runs/run.ts";
import { findTask } from "../support/find.ts";
import { deleteInput, replicationInput } from "../support/task-input.ts";

/**
 * Stops a task: a waiting one at once; a running one that is no deletion as soon as it can. It ends `failed` with a message that says cancelled.
 * @throws DomainError `taskNotFound`, `taskNotCancellable` when it is over, or a deletion that has begun
 */
export async function cancelTask(context: Context, caller: Caller, input: { taskId: Id }): Promise<Task> {
  const task = await findTask(context.catalog, caller, input.taskId);
  if (task.status === "waiting") {
    try {
      await cancelWaiting(context, task);
      return await findTask(context.catalog, caller, task.id);
    } catch (error) {
      // A worker claimed it in between: then it is running.
      if (!(error instanceof StaleTaskError)) throw error;
    }
  } else if (task.status !== "running") {
    throw new DomainError("taskNotCancellable", `Task ${task.id} is over: ${task.status}.`);
  }
  if (task.type === "delete" || task.type === "remove_resource" || task.type === "vault_delete")
    throw new DomainError("taskNotCancellable", `Task ${task.id} is a deletion that has begun.`);
  await context.catalog.tasks.requestCancel(task.id, context.clock.nowUs());
  context.wake();
  return findTask(context.catalog, caller, task.id);
}

async function cancelWaiting(context: Context, task: Task): Promise<void> {
  const cancelled = describeFailure(new TaskStop("cancelled"));
  const endCancelled = (tables: Tables): Promise<void> =>
    finishTask(tables, task, {
      status: "failed",
      now: context.clock.nowUs(),
      errorCode: cancelled.errorCode,
      errorMessage: cancelled.message,
    });
  switch (task.type) {
    case "backup":
      return failBackup(context, task, cancelled);
    case "restore":
      return failRestore(context, task, cancelled, () => false);
    case "delete":
      return context.catalog.transaction(async (tables) => {
        await endCancelled(tables);
        const now = context.clock.nowUs();
        const { previousStatus } = deleteInput(task);
        const family = [task.backupId!, ...(await tables.backups.children(task.backupId!)).map((child) => child.id)];
        for (const id of family) {
          const backup = await tables.backups.get(task.projectId, id);
          const status = backup?.rootKey === null && backup.resourceType === "OS::Cinder::Volume" ? "error" : previousStatus;
          await tables.backups.transition(id, status, { updatedAt: now }, ["waiting_delete"]);
        }
      });
    case "replication": {
      const { destinationRegion: region, destinationProjectId: projectId, userId, recordId } = replicationInput(task);
      await failReplication({ context, task }, cancelled);
      return targetOf(context, { region, projectId }, userId)
        .cancel(recordId)
        .catch((error: unknown) => context.log.warn({ err: error, recordId }, "the destination could not be told that a copying was cancelled"));
    }
    case "replica":
      return failReplica(context, task, cancelled, { remove: true });
    case "check":
    case "collect":
    case "sync":
      return context.catalog.transaction(endCancelled);
    case "remove_resource":
    case "vault_delete":
      throw new DomainError("taskNotCancellable", `Task ${task.id} deletes many backups: it cannot be cancelled.`);
  }
}
