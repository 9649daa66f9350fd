import type { Id } from "#model/ids.ts";
import { taskIsOver } from "#model/task.ts";
import type { Context } from "../context.ts";
import { failReplica } from "../runs/failReplica.ts";
import { describeFailure } from "../runs/failure.ts";
import { StaleTaskError, TaskStop } from "../runs/run.ts";

/** Stops the making of a copy: a waiting one at once, a running one as soon as it can. Nothing of it stays. Idempotent. */
export async function cancelReplica(context: Context, recordId: Id): Promise<void> {
  const { catalog } = context;
  const record = await catalog.replications.get(recordId);
  if (record === undefined || record.destinationBackupId === null) return;
  const open = await catalog.tasks.openTasks({ backupId: record.destinationBackupId });
  for (const task of open.filter(({ type, status }) => type === "replica" && !taskIsOver(status))) {
    try {
      if (task.status === "waiting") {
        await failReplica(context, task, describeFailure(new TaskStop("cancelled")), { remove: true });
        continue;
      }
    } catch (error) {
      // A worker claimed it in between: then it is running.
      if (!(error instanceof StaleTaskError)) throw error;
    }
    await catalog.tasks.requestCancel(task.id, context.clock.nowUs());
  }
}
