import { rm } from "node:fs/promises";
import type { Tables } from "#catalog/tables.ts";
import type { Backup, BackupStatistics } from "#model/backup.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { noteVaultUsage } from "../events/noteVaultUsage.ts";
import { fillOf } from "../support/capacity.ts";
import { storageSnapshotPath } from "../support/paths.ts";
import { backupInput } from "../support/task-input.ts";
import type { BackupTaskInput } from "../support/task-input.ts";
import { finishTask } from "./run.ts";
import { failedEnd } from "./failure.ts";
import type { Failure } from "./failure.ts";

/** A disk whose data is in the store, root object included, but not yet in the catalog. */
export interface SealedDisk {
  backupId: Id;
  statistics: BackupStatistics;
  rootKey: string;
  protectedAt: TimestampUs;
  /** When its root object was sealed: what a catalog rebuilt from the store can tell too. */
  sealedAt: TimestampUs;
}

/** What becomes of a sealed disk's row. */
export const sealedPatch = (disk: SealedDisk): Partial<Backup> & { updatedAt: TimestampUs } => ({
  statistics: disk.statistics,
  rootKey: disk.rootKey,
  protectedAt: disk.protectedAt,
  progress: 100,
  failReason: null,
  updatedAt: disk.sealedAt,
});

/** Gives the volumes of a run back what their status was before it. */
export async function releaseVolumes(tables: Tables, input: BackupTaskInput, now: TimestampUs): Promise<void> {
  for (const { volumeId, previousStatus } of input.disks) {
    if (previousStatus !== null) await tables.resources.transition(volumeId, ["backing-up"], previousStatus, now);
  }
}

/**
 * Ends a backup task as failed: its backups become `error` with the reason, their root objects and storage snapshots go, the volumes are free again.
 * Disks in `sealed` were complete before another disk of the server failed: they stay, available.
 * @throws StaleTaskError when the task is not the caller's any more
 */
export async function failBackup(
  context: Context,
  task: Task,
  failure: Failure,
  options: { sealed?: readonly SealedDisk[]; failedDisk?: Id } = {},
): Promise<void> {
  const input = backupInput(task);
  const sealed = options.sealed ?? [];
  const isKept = (id: Id): boolean => sealed.some((disk) => disk.backupId === id);
  const dropped: Backup[] = [];
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, failedEnd(failure, now));
    const top = await tables.backups.get(task.projectId, task.backupId!);
    const before = top === undefined || sealed.length === 0 ? undefined : await fillOf(tables, top.projectId, top.vaultId);
    const children = await tables.backups.children(task.backupId!);
    for (const backup of top === undefined ? children : [top, ...children]) {
      const disk = sealed.find((each) => each.backupId === backup.id);
      if (disk !== undefined) {
        await tables.backups.transition(backup.id, "available", sealedPatch(disk));
        continue;
      }
      dropped.push(backup);
      const failReason = reasonFor(backup, failure, options.failedDisk);
      const ownSnapshot = backup.snapshotId !== null && backup.snapshotId !== input.snapshotId;
      await tables.backups.transition(backup.id, "error", { failReason, updatedAt: now, ...(ownSnapshot ? { snapshotId: null } : {}) });
    }
    await releaseVolumes(tables, input, now);
    if (before !== undefined) await noteVaultUsage(context, tables, before);
  });
  await removeRoots(
    context,
    task,
    input.disks.map((disk) => disk.backupId).filter((id) => !isKept(id)),
  );
  for (const backup of dropped) {
    if (backup.snapshotId !== null && backup.snapshotId !== input.snapshotId) {
      await rm(storageSnapshotPath(context.settings, backup, backup.snapshotId), { force: true });
    }
  }
}

function reasonFor(backup: Backup, failure: Failure, failedDisk: Id | undefined): string {
  if (failedDisk === undefined || failedDisk === backup.id) return failure.message;
  if (backup.parentId === null) return `The backup of disk ${failedDisk} inside it failed: ${failure.message}`;
  return `Not backed up, because the backup of another disk of the server failed: ${failure.message}`;
}

/** Removes root objects that no available backup stands for. What cannot be removed now is logged: it is listed nowhere. */
export async function removeRoots(context: Context, task: Task, backupIds: readonly Id[]): Promise<void> {
  for (const backupId of backupIds) {
    try {
      await context.engine.discardRoot(task.projectId, backupId);
    } catch (error) {
      context.log.warn({ err: error, taskId: task.id, backupId }, "the root object of a failed backup could not be removed");
    }
  }
}
