import { stat } from "node:fs/promises";
import type { BackupStatistics } from "#model/backup.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import { invariant } from "#platform/invariant.ts";
import type { Context } from "../context.ts";
import { fillOf, settleUsage } from "../support/capacity.ts";
import { findBackup } from "../support/find.ts";
import { localPath, pathOf } from "../support/paths.ts";
import { dropStorageSnapshots } from "../support/storage-snapshots.ts";
import { backupInput } from "../support/task-input.ts";
import { backupDisk, freezeDisks, isOfOneInstant } from "./backup-disk.ts";
import type { DiskResult, DiskRun, FrozenDisk } from "./backup-disk.ts";
import { failBackup, releaseVolumes, removeRoots, sealedPatch } from "./failBackup.ts";
import type { SealedDisk } from "./failBackup.ts";
import { describeFailure } from "./failure.ts";
import { progressWriter } from "./progress-writer.ts";
import { StaleTaskError, TaskStop, finishTask } from "./run.ts";
import type { TaskRun } from "./run.ts";

/**
 * Makes the backup of a disk, or of a server: all its disks are frozen, then read one after another. One transaction makes it available and ends the
 * task; what happens before leaves only objects in the store that nothing refers to.
 */
export async function runBackup(run: TaskRun): Promise<void> {
  const { context, control } = run;
  const sealed: SealedDisk[] = [];
  let current: Id | undefined;
  try {
    const results: DiskResult[] = [];
    const disks = await prepare(run);
    const frozen = await freezeDisks(context, disks);
    for (const [index, disk] of disks.entries()) {
      control.signal.throwIfAborted();
      current = disk.backup.id;
      const ready = frozen[index]!;
      if (ready.status === "rejected") throw ready.reason;
      const progress = progressWriter(context, disk.backup.id);
      const say = (at: Parameters<typeof control.progress>[0]): void => {
        progress.write(at);
        control.progress(disk.overall(at));
      };
      try {
        const result = await backupDisk({ ...disk, control: { signal: control.signal, progress: say } }, ready.value);
        results.push(result);
        sealed.push(result.sealed);
      } finally {
        await progress.settled();
      }
    }
    control.signal.throwIfAborted();
    await commit(run, results, warningsOf(disks, frozen));
  } catch (error) {
    await settle(run, error, sealed, current);
  }
}

/** Records a failure; when the task is no longer this run's, only takes back what it put into the store. */
async function settle({ context, task, control }: TaskRun, error: unknown, sealed: SealedDisk[], current: Id | undefined): Promise<void> {
  const all = backupInput(task).disks.map((disk) => disk.backupId);
  const reason: unknown = control.signal.reason;
  if (error instanceof StaleTaskError || (reason instanceof TaskStop && reason.kind === "leaseLost")) {
    await removeRoots(context, task, await abandoned(context, task.projectId, all));
    throw error;
  }
  const failure = describeFailure(error, control.signal);
  context.log.warn({ err: error, taskId: task.id, backupId: task.backupId, reason: failure.message }, "a backup failed");
  const isServer = all.length > 1 || all[0] !== task.backupId;
  const partly = isServer && !control.signal.aborted && current !== undefined && sealed.length < all.length;
  await failBackup(context, task, failure, partly ? { sealed, failedDisk: current } : {});
}

/** Of a task that was taken over: the backups that whoever took it has failed. Only their root objects are nobody's. */
async function abandoned(context: Context, projectId: string, backupIds: readonly Id[]): Promise<Id[]> {
  const failed: Id[] = [];
  for (const id of backupIds) {
    const backup = await context.catalog.backups.get(projectId, id);
    if (backup?.status === "error" && backup.rootKey === null) failed.push(id);
  }
  return failed;
}

type Step = DiskRun & {
  /** Progress of the whole run from that of this disk. */
  overall(at: { phase: string; bytesDone: number; bytesTotal: number | null }): { phase: string; bytesDone: number; bytesTotal: number | null };
};

/** Of a server whose disks may have been written while they were read. */
function warningsOf(disks: readonly Step[], frozen: readonly PromiseSettledResult<FrozenDisk>[]): string[] {
  const moving = disks.filter((disk, index) => frozen[index]?.status === "fulfilled" && !isOfOneInstant(disk, frozen[index].value));
  if (moving.length === 0 || disks.length === 1) return [];
  const names = moving.map(({ volume }) => volume.name).join(", ");
  return [`Not all disks could be frozen (${names}): if they were written meanwhile, the disks of the server are not of one instant.`];
}

async function prepare({ context, task, control }: TaskRun): Promise<Step[]> {
  const { catalog, clock } = context;
  const input = backupInput(task);
  const top = await findBackup(catalog, task, task.backupId!);
  const isServer = top.resourceType === "OS::Nova::Server";
  if (isServer) await catalog.backups.transition(top.id, "protecting", { updatedAt: clock.nowUs() }, ["waiting_protect"]);
  const surroundings = {
    parent: isServer ? top : null,
    siblings: isServer ? await catalog.backups.children(top.id) : [],
    bindings: await catalog.vaults.resourcesOf(top.vaultId),
    vault: (await catalog.vaults.get(task.projectId, top.vaultId)) ?? null,
    server: isServer ? ((await catalog.resources.get(task.projectId, top.resourceId)) ?? null) : null,
    checkpoint: (await catalog.checkpoints.get(task.projectId, top.checkpointId)) ?? null,
  };
  const snapshot = input.snapshotId === null ? undefined : await catalog.snapshots.get(task.projectId, input.snapshotId);
  if (input.snapshotId !== null && snapshot === undefined)
    throw new DomainError("snapshotNotFound", `Snapshot ${input.snapshotId} is no longer there.`);
  const steps: Step[] = [];
  const totals: number[] = [];
  for (const [index, disk] of input.disks.entries()) {
    const backup = await findBackup(catalog, task, disk.backupId);
    const volume = await catalog.resources.findVolume(disk.volumeId);
    if (volume === undefined) throw new DomainError("volumeNotFound", `Volume ${disk.volumeId} is no longer there.`);
    totals.push(await allocatedBytes(context, volume, input.snapshotId));
    steps.push({
      context,
      control,
      backup,
      volume,
      surroundings,
      incremental: input.incremental,
      snapshotId: input.snapshotId,
      snapshotAtUs: snapshot?.createdAt ?? null,
      overall(at) {
        if (at.bytesTotal !== null) totals[index] = at.bytesTotal;
        const before = totals.slice(0, index).reduce((sum, bytes) => sum + bytes, 0);
        const all = totals.reduce((sum, bytes) => sum + bytes, 0);
        const known = at.bytesTotal !== null || input.disks.length > 1;
        return { phase: at.phase, bytesDone: before + at.bytesDone, bytesTotal: known ? all : null };
      },
    });
  }
  return steps;
}

/** What a volume's file occupies: the best guess of what will be read of it. */
async function allocatedBytes(context: Context, volume: Volume, snapshotId: Id | null): Promise<number> {
  try {
    const path = snapshotId === null ? await pathOf(context.settings, volume.locator) : localPath(context.settings, snapshotId);
    const stats = await stat(path);
    return Math.min(stats.size, stats.blocks * 512);
  } catch (error) {
    context.log.debug({ err: error, volumeId: volume.id }, "the size of a source is not known yet");
    return 0;
  }
}

async function commit({ context, task, control }: TaskRun, results: readonly DiskResult[], warnings: readonly string[]): Promise<void> {
  const input = backupInput(task);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, { status: "success", now, result: resultOf(results, warnings), progress: control.latest() });
    const top = await tables.backups.get(task.projectId, task.backupId!);
    const before = top && (await fillOf(tables, task.projectId, top.vaultId));
    for (const { sealed } of results) {
      const moved = await tables.backups.transition(sealed.backupId, "available", sealedPatch(sealed), ["protecting"]);
      invariant(moved, "a backup of a run that still owns its task is protecting");
    }
    if (top?.resourceType === "OS::Nova::Server") {
      const patch = serverPatch(results.map(({ sealed, incremental }) => ({ ...sealed, incremental })));
      invariant(await tables.backups.transition(top.id, "available", patch, ["protecting"]), "the server backup of a run is protecting");
    }
    if (top !== undefined) await tables.policies.noteBackup({ ...top, incremental: results.some(({ incremental }) => incremental) });
    await settleUsage(context, tables, before);
    await releaseVolumes(tables, input, now);
  });
  for (const disk of input.disks) await dropOlderSnapshots(context, task.projectId, disk.volumeId, disk.backupId);
}

/** The backup is committed: whatever goes wrong here is only logged. */
async function dropOlderSnapshots(context: Context, projectId: string, volumeId: Id, backupId: Id): Promise<void> {
  try {
    await dropStorageSnapshots(context, projectId, volumeId, backupId);
  } catch (error) {
    context.log.warn({ err: error, volumeId }, "the storage snapshot of an older backup could not be dropped");
  }
}

function resultOf(results: readonly DiskResult[], ofAll: readonly string[]): Record<string, unknown> {
  const statistics = sumOf(results.map((result) => result.sealed.statistics));
  const warnings = [...ofAll, ...results.flatMap((result) => result.warnings)];
  return {
    incremental: results.some((result) => result.incremental),
    readBytes: statistics.readBytes,
    newBytes: statistics.newBytes,
    storedBytes: statistics.storedBytes,
    ...changeListOf(results),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

/** How the changes of the disks were found: of several, `partly` when not all the same way. */
function changeListOf(results: readonly DiskResult[]): Record<string, string> {
  const [first, ...others] = results;
  if (first === undefined) return {};
  const changeList = others.every((each) => each.changeList === first.changeList) ? first.changeList : "partly";
  const reasons = new Set(
    results.flatMap(({ incremental, changeListReason }) => (incremental && changeListReason !== null ? [changeListReason] : [])),
  );
  return { changeList, ...(reasons.size > 0 ? { changeListReason: [...reasons].join(" ") } : {}) };
}

/** What a server backup is once all its disks are sealed. */
export function serverPatch(disks: readonly (Pick<SealedDisk, "statistics" | "protectedAt" | "sealedAt"> & { incremental: boolean })[]) {
  return {
    statistics: sumOf(disks.map((disk) => disk.statistics)),
    protectedAt: Math.min(...disks.map((disk) => disk.protectedAt)),
    incremental: disks.some((disk) => disk.incremental),
    updatedAt: Math.max(...disks.map((disk) => disk.sealedAt)),
  };
}

function sumOf(all: readonly BackupStatistics[]): BackupStatistics {
  const sum = (key: Exclude<keyof BackupStatistics, "compressed">): number => all.reduce((total, each) => total + each[key], 0);
  return {
    readBytes: sum("readBytes"),
    dataBytes: sum("dataBytes"),
    newBytes: sum("newBytes"),
    storedBytes: sum("storedBytes"),
    unchangedBytes: sum("unchangedBytes"),
    deduplicatedBytes: sum("deduplicatedBytes"),
    newChunks: sum("newChunks"),
    objectCount: sum("objectCount"),
    compressed: all.some((each) => each.compressed),
    durationMs: sum("durationMs"),
  };
}
