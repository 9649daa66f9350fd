import { rm } from "node:fs/promises";
import type { Tables } from "#catalog/tables.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { isLocal, localPath, partSuffix } from "../support/paths.ts";
import { restoreInput } from "../support/task-input.ts";
import { failedEnd } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { finishTask } from "./run.ts";

/** Where a volume of ours is restored before it replaces what there is. */
export const restorePart = (context: Context, volumeId: Id): string => localPath(context.settings, volumeId) + partSuffix;

/** The restored backup, and the disks inside a server backup, are available again. A shared one never was anything else. */
export async function releaseBackups(tables: Tables, task: Task, now: TimestampUs): Promise<void> {
  if (restoreInput(task).ownerProjectId !== undefined) return;
  for (const id of [task.backupId!, ...(await tables.backups.children(task.backupId!)).map((child) => child.id)]) {
    await tables.backups.transition(id, "available", { updatedAt: now }, ["waiting_restore", "restoring"]);
  }
}

/**
 * Ends a restore task as failed. A volume of ours that was to be overwritten still has its old content and its old status; a new one, and a file
 * that was being written in place (`touched`), have no promised content: `error_restoring`.
 * @throws StaleTaskError when the task is not the caller's any more
 */
export async function failRestore(context: Context, task: Task, failure: Failure, touched: (volumeId: Id) => boolean): Promise<void> {
  const { targets } = restoreInput(task);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, failedEnd(failure, now));
    await releaseBackups(tables, task, now);
    for (const { volumeId, previousStatus } of targets) {
      const volume = await tables.resources.getVolume(task.projectId, volumeId);
      if (volume === undefined) continue;
      const intact = previousStatus !== null && (isLocal(volume.locator) || !touched(volumeId));
      await tables.resources.transition(volumeId, ["creating", "restoring-backup"], intact ? previousStatus : "error_restoring", now);
    }
  });
  for (const { volumeId } of targets) await rm(restorePart(context, volumeId), { force: true });
}
