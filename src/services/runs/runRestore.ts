import { rm, stat } from "node:fs/promises";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { DamagedRange, RestoreOutcome } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { gibBytes } from "../support/checks.ts";
import { describeDamage } from "../check/damage-view.ts";
import { autoBind } from "../support/auto-bind.ts";
import { isLocal, localPath, pathOf } from "../support/paths.ts";
import { findReadableBackup } from "../support/shares.ts";
import { restoreInput } from "../support/task-input.ts";
import type { RestoreTaskInput } from "../support/task-input.ts";
import { changesOf } from "../support/volume-changes.ts";
import { replaceFile } from "../support/volume-files.ts";
import { failRestore, releaseBackups, restorePart } from "./failRestore.ts";
import { describeFailure } from "./failure.ts";
import { restoreDisks } from "./restore-disks.ts";
import type { RestoreTarget } from "./restore-disks.ts";
import { StaleTaskError, TaskStop, finishTask } from "./run.ts";
import type { TaskRun } from "./run.ts";

type Target = RestoreTaskInput["targets"][number] & RestoreTarget & { volume: Volume };

/** What could not be read of each disk backup. */
type Lost = { backupId: Id; ranges: DamagedRange[] }[];
/** Ranges that a task keeps of each. */
const maxRanges = 1000;

/**
 * Restores one disk, or the disks of a server, several at a time. Volumes of ours are restored beside and take the place of the old content when all
 * are complete; files of the operator's are written in place.
 */
export async function runRestore(run: TaskRun): Promise<void> {
  const { context, task, control } = run;
  const touched = new Set<Id>();
  try {
    const targets = await prepare(run);
    const { allowHoles = false, ownerProjectId: tenant = task.projectId } = restoreInput(task);
    const all = targets.reduce((sum, target) => sum + target.dataBytes, 0);
    const outcomes = await restoreDisks(
      context.engine,
      { tenant, allowHoles, targets, signal: control.signal },
      async (target) => {
        if (isLocal(target.volume.locator)) await rm(target.path, { force: true });
        else touched.add(target.volumeId);
      },
      (at) => control.progress(at),
    );
    control.signal.throwIfAborted();
    await refuseUnlessReadable(run);
    for (const target of targets) {
      if (!isLocal(target.volume.locator)) continue;
      const path = localPath(context.settings, target.volumeId);
      await changesOf(context, target.volumeId).replace(() => replaceFile(target.path, path));
    }
    await commit(run, writtenOf(targets, outcomes), all);
  } catch (error) {
    const reason: unknown = control.signal.reason;
    if (error instanceof StaleTaskError || (reason instanceof TaskStop && reason.kind === "leaseLost")) throw error;
    const failure = describeFailure(error, control.signal);
    context.log.warn({ err: error, taskId: task.id, backupId: task.backupId, reason: failure.message }, "a restore failed");
    await failRestore(context, task, failure, (volumeId) => touched.has(volumeId));
  }
}

/** A share may have ended since the restore was asked for. @throws DomainError `backupNotFound` */
async function refuseUnlessReadable({ context, task }: TaskRun): Promise<void> {
  if (restoreInput(task).ownerProjectId !== undefined) await findReadableBackup(context.catalog, task, task.backupId!);
}

async function prepare(run: TaskRun): Promise<Target[]> {
  const { context, task } = run;
  const { catalog, clock } = context;
  const { targets: wanted, allowHoles, ownerProjectId } = restoreInput(task);
  const tenant = ownerProjectId ?? task.projectId;
  await refuseUnlessReadable(run);
  const targets: Target[] = [];
  for (const target of wanted) {
    const volume = await catalog.resources.getVolume(task.projectId, target.volumeId);
    if (volume === undefined) throw new DomainError("volumeNotFound", `Volume ${target.volumeId} is no longer there.`);
    const root = await context.engine.readRoot(tenant, target.backupId);
    if (root === undefined) throw new RepositoryError("missingRoot", `backup ${target.backupId} has no root object`);
    const [damage] = allowHoles === true ? [] : await context.engine.damage(tenant, target.backupId);
    if (damage !== undefined) throw new DomainError("backupDamaged", describeDamage(damage));
    const { path, sizeBytes } = await placeOf(context, volume);
    if (sizeBytes < root.sizeBytes)
      throw new DomainError("targetTooSmall", `Volume ${volume.id} has ${sizeBytes} bytes, the backup ${root.sizeBytes}.`);
    targets.push({ ...target, volume, dataBytes: root.statistics.dataBytes, sizeBytes, path });
  }
  await catalog.transaction(async (tables) => {
    const now = clock.nowUs();
    const family = ownerProjectId === undefined ? [task.backupId!, ...(await tables.backups.children(task.backupId!)).map((child) => child.id)] : [];
    for (const id of family) await tables.backups.transition(id, "restoring", { updatedAt: now }, ["waiting_restore"]);
    for (const { volumeId } of targets) await tables.resources.transition(volumeId, ["creating"], "restoring-backup", now);
  });
  return targets;
}

function writtenOf(targets: readonly Target[], outcomes: readonly RestoreOutcome[]): { writtenBytes: number; lost: Lost } {
  return {
    writtenBytes: outcomes.reduce((sum, outcome) => sum + outcome.writtenBytes, 0),
    lost: targets.flatMap(({ backupId }, index) => (outcomes[index]!.lost.length > 0 ? [{ backupId, ranges: outcomes[index]!.lost }] : [])),
  };
}

function resultOf({ writtenBytes, lost }: { writtenBytes: number; lost: Lost }): Record<string, unknown> {
  if (lost.length === 0) return { writtenBytes };
  return {
    writtenBytes,
    lost: lost.map(({ backupId, ranges }) => ({ backup_id: backupId, range_count: ranges.length, ranges: ranges.slice(0, maxRanges) })),
  };
}

async function placeOf(context: Context, volume: Volume): Promise<{ path: string; sizeBytes: number }> {
  if (isLocal(volume.locator)) return { path: restorePart(context, volume.id), sizeBytes: volume.sizeGib * gibBytes };
  const path = await pathOf(context.settings, volume.locator);
  return { path, sizeBytes: (await stat(path)).size };
}

async function commit({ context, task, control }: TaskRun, written: { writtenBytes: number; lost: Lost }, allBytes: number): Promise<void> {
  // The engine tells how far it is, not that it is done: its last word may be of some ranges ago.
  const progress = { ...control.latest(), bytesDone: allBytes, bytesTotal: allBytes };
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, { status: "success", now, result: resultOf(written), progress });
    await releaseBackups(tables, task, now);
    for (const { volumeId, previousStatus } of restoreInput(task).targets) {
      await tables.resources.transition(volumeId, ["restoring-backup"], previousStatus ?? "available", now);
      const made = previousStatus === null ? await tables.resources.getVolume(task.projectId, volumeId) : undefined;
      if (made !== undefined) await autoBind(context, tables, made);
    }
  });
}
