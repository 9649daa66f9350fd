import type { Backup } from "#model/backup.ts";
import type { Id } from "#model/ids.ts";
import { DomainError } from "#model/errors.ts";
import { invariant } from "#platform/invariant.ts";
import type { PeerOrigin, ReplicateOutcome, TenantOrigin } from "#repository/engine-types.ts";
import { audienceOf, peerOf, replicationPath } from "../replication/peers.ts";
import { fillOf, settleUsage } from "../support/capacity.ts";
import { findBackup } from "../support/find.ts";
import { replicaInput } from "../support/task-input.ts";
import { sealedAtOf, statisticsOf } from "./backup-disk.ts";
import type { BackupDocument } from "./backup-disk.ts";
import { removeRoots, sealedPatch } from "./failBackup.ts";
import type { SealedDisk } from "./failBackup.ts";
import { failReplica } from "./failReplica.ts";
import { describeFailure } from "./failure.ts";
import { percentWriter, progressWriter } from "./progress-writer.ts";
import { finishTask, StaleTaskError, TaskStop } from "./run.ts";
import type { TaskRun } from "./run.ts";
import { serverPatch } from "./runBackup.ts";

interface Step {
  backup: Backup;
  sourceBackupId: Id;
  document: BackupDocument;
  dataBytes: number;
}

type Result = { sealed: SealedDisk; incremental: boolean; receivedBytes: number };

/**
 * Makes the copy of a disk backup, or of a server backup disk after disk. One transaction makes it available and ends the task. May be repeated
 * from the start: what has arrived is not fetched again.
 */
export async function runReplica(run: TaskRun): Promise<void> {
  const { context, task, control } = run;
  const { disks, recordId } = replicaInput(task);
  const record = percentWriter(context, (progress, updatedAt) => context.catalog.replications.update(recordId, { progress, updatedAt }));
  try {
    const steps = await prepare(run);
    const total = steps.reduce((sum, step) => sum + step.dataBytes, 0);
    const results: Result[] = [];
    let before = 0;
    for (const { backup, sourceBackupId, document, dataBytes } of steps) {
      control.signal.throwIfAborted();
      await context.engine.discardRoot(task.projectId, backup.id);
      const own = progressWriter(context, backup.id);
      const outcome = await context.engine.replicate(
        {
          tenant: task.projectId,
          backupId: backup.id,
          from: originOf(run, sourceBackupId),
          document,
          compressionLevel: context.settings.compressionLevel,
        },
        {
          signal: control.signal,
          onProgress: (at) => {
            own.write(at);
            const all = { phase: at.phase, bytesDone: before + at.bytesDone, bytesTotal: steps.length > 1 ? total : at.bytesTotal };
            record.write(all);
            control.progress(all);
          },
        },
      );
      await own.settled();
      before += dataBytes;
      results.push(resultOf(backup, document, outcome));
    }
    await record.settled();
    control.signal.throwIfAborted();
    await commit(run, results);
  } catch (error) {
    await record.settled();
    const reason: unknown = control.signal.reason;
    const stop = reason instanceof TaskStop ? reason.kind : undefined;
    if (error instanceof StaleTaskError || stop === "leaseLost") {
      await removeRoots(
        context,
        task,
        await abandoned(
          run,
          disks.map((disk) => disk.backupId),
        ),
      );
      throw error;
    }
    // The next life of the service goes on with it.
    if (stop === "shutdown") throw error;
    // A source that has cancelled offers nothing any more: that may be noticed before the wish to stop is.
    const isCancelled = stop === "cancelled" || (await context.catalog.tasks.get(task.projectId, task.id))?.cancelRequested === true;
    const failure = isCancelled ? describeFailure(new TaskStop("cancelled")) : describeFailure(error, control.signal);
    context.log.warn({ err: error, taskId: task.id, backupId: task.backupId, reason: failure.message }, "a copy could not be made");
    await failReplica(context, task, failure, { remove: isCancelled });
  }
}

/** The backup that a disk's copy is made of: of this service, or of the region that offers it. */
function originOf({ context, task }: TaskRun, backupId: Id): TenantOrigin | PeerOrigin {
  const { recordId, sourceRegion, sourceProjectId } = replicaInput(task);
  if (sourceRegion === context.settings.region) return { kind: "tenant", tenant: sourceProjectId, backupId };
  const peer = peerOf(context, sourceRegion);
  if (peer === undefined) throw new DomainError("regionNotReachable", `Region ${sourceRegion} is no region that this one copies from any more.`);
  const path = `${replicationPath}/offers/${recordId}/${backupId}`;
  return { kind: "peer", peer: peer.address, path, source: audienceOf(sourceRegion, sourceProjectId) };
}

/** Of a task that was taken over: the copies that are no longer wanted. Only their root objects are nobody's. */
async function abandoned({ context, task }: TaskRun, backupIds: readonly Id[]): Promise<Id[]> {
  const gone: Id[] = [];
  for (const id of backupIds) {
    const backup = await context.catalog.backups.get(task.projectId, id);
    if (backup === undefined || (backup.status === "error" && backup.rootKey === null)) gone.push(id);
  }
  return gone;
}

async function prepare({ context, task }: TaskRun): Promise<Step[]> {
  const { catalog, clock } = context;
  const input = replicaInput(task);
  const top = await findBackup(catalog, task, task.backupId!);
  await catalog.transaction(async (tables) => {
    const updatedAt = clock.nowUs();
    for (const each of [top, ...(await tables.backups.children(top.id))])
      await tables.backups.transition(each.id, "protecting", { updatedAt }, ["waiting_protect"]);
    await tables.replications.update(input.recordId, { status: "replicating", updatedAt });
  });
  const vault = (await catalog.vaults.get(task.projectId, top.vaultId)) ?? null;
  const children = await catalog.backups.children(top.id);
  const surroundings = {
    parent: children.length > 0 ? { ...top, status: "protecting" as const } : null,
    siblings: children,
    bindings: await catalog.vaults.resourcesOf(top.vaultId),
    vault,
    server: input.server,
    checkpoint: (await catalog.checkpoints.get(task.projectId, top.checkpointId)) ?? null,
    fromSnapshot: false,
    changeToken: null,
  };
  const steps: Step[] = [];
  for (const { backupId, sourceBackupId, resource, dataBytes } of input.disks) {
    const backup = await findBackup(catalog, task, backupId);
    const document = { ...surroundings, backup: { ...backup, status: "available" as const, progress: 100, updatedAt: clock.nowUs() }, resource };
    steps.push({ backup, sourceBackupId, document, dataBytes });
  }
  return steps;
}

function resultOf(backup: Backup, document: BackupDocument, outcome: ReplicateOutcome): Result {
  const statistics = statisticsOf(outcome);
  const sealedAt = sealedAtOf(document, statistics);
  const protectedAt = backup.protectedAt ?? backup.createdAt;
  return {
    sealed: { backupId: backup.id, rootKey: outcome.rootKey, protectedAt, sealedAt, statistics },
    incremental: backup.incremental,
    receivedBytes: outcome.receivedBytes,
  };
}

async function commit({ context, task, control }: TaskRun, results: readonly Result[]): Promise<void> {
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0);
  const result = {
    receivedBytes: sum((each) => each.receivedBytes),
    newBytes: sum((each) => each.sealed.statistics.newBytes),
    storedBytes: sum((each) => each.sealed.statistics.storedBytes),
  };
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, { status: "success", now, result, progress: control.latest() });
    const before = await fillOf(tables, task.projectId, task.vaultId!);
    for (const { sealed } of results)
      invariant(await tables.backups.transition(sealed.backupId, "available", sealedPatch(sealed), ["protecting"]), "a copy is made once");
    const top = await tables.backups.get(task.projectId, task.backupId!);
    if (top?.resourceType === "OS::Nova::Server") {
      const patch = serverPatch(results.map(({ sealed, incremental }) => ({ ...sealed, incremental })));
      invariant(await tables.backups.transition(top.id, "available", patch, ["protecting"]), "the copy of a server backup is made once");
    }
    await settleUsage(context, tables, before);
    await tables.replications.update(replicaInput(task).recordId, { status: "success", progress: 100, updatedAt: now });
  });
}
