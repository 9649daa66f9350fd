import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { replicaInput } from "../support/task-input.ts";
import { removeRoots } from "./failBackup.ts";
import { failedEnd } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { removeBackupRows } from "./remove-backup.ts";
import { finishTask } from "./run.ts";

/**
 * Ends the making of a copy as failed: its backups become `error` with the reason, or go with `remove`; their root objects go.
 * @throws StaleTaskError when the task is not the caller's any more
 */
export async function failReplica(context: Context, task: Task, failure: Failure, options: { remove?: boolean } = {}): Promise<void> {
  const { recordId, disks } = replicaInput(task);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, failedEnd(failure, now));
    for (const id of [task.backupId!, ...(await tables.backups.children(task.backupId!)).map((child) => child.id)])
      await tables.backups.transition(id, "error", { failReason: failure.message, updatedAt: now });
    await tables.replications.update(recordId, { status: "fail", failCode: failure.errorCode, failReason: failure.message, updatedAt: now });
  });
  const backupIds = disks.map((disk) => disk.backupId);
  await removeRoots(context, task, backupIds);
  if (options.remove !== true) return;
  await context.catalog.transaction(async (tables) => {
    const backup = await tables.backups.get(task.projectId, task.backupId!);
    if (backup?.status === "error") await removeBackupRows(tables, backup);
    await tables.replications.update(recordId, { destinationBackupId: null, destinationCheckpointId: null, updatedAt: context.clock.nowUs() });
  });
}
