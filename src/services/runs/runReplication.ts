import { DomainError, errorKinds } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { replicationIsOver } from "#model/replication.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Resource } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { targetOf } from "../replication/targets.ts";
import type { CopyOrder, ReplicaTarget } from "../replication/target.ts";
import { objectTypeOf } from "#model/provider.ts";
import { findBackup } from "../support/find.ts";
import { replicationInput } from "../support/task-input.ts";
import type { BackupDocument } from "./backup-disk.ts";
import { describeFailure, failedEnd } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { finishTask, StaleTaskError, TaskStop } from "./run.ts";
import type { TaskEnd, TaskRun } from "./run.ts";

/** Between two looks at the destination, ms. */
const lookMs = { near: 100, far: 1000 };
/** How long a destination may not answer before the copying is given up. */
const patienceUs = 15 * 60 * 1_000_000;
/** How often a copy is begun again that failed because the destination did not reach this region. */
const maxRestarts = 20;

/**
 * Has a backup copied and follows it to its end: the destination does the work. What the destination says is repeated in the record here. May be
 * repeated from the start: a copy that was begun goes on.
 */
export async function runReplication(run: TaskRun): Promise<void> {
  const { context, task, control } = run;
  const input = replicationInput(task);
  let target: ReplicaTarget | undefined;
  try {
    target = targetOf(context, { region: input.destinationRegion, projectId: input.destinationProjectId }, input.userId);
    await end(run, await follow(run, target));
  } catch (error) {
    const reason: unknown = control.signal.reason;
    const stop = reason instanceof TaskStop ? reason.kind : undefined;
    if (error instanceof StaleTaskError || stop === "leaseLost" || stop === "shutdown") throw error;
    const failure = describeFailure(error, control.signal);
    context.log.warn({ err: error, taskId: task.id, backupId: task.backupId, reason: failure.message }, "a backup could not be copied");
    if (stop === "cancelled") await target?.cancel(input.recordId).catch((cause: unknown) => noteUncancelled(context, input.recordId, cause));
    await failReplication(run, failure);
  }
}

function noteUncancelled(context: Context, recordId: Id, error: unknown): void {
  context.log.warn({ err: error, recordId }, "the destination could not be told that a copying was cancelled");
}

/** Ends a copying task as failed, and its record with it. @throws StaleTaskError */
export async function failReplication({ context, task }: Pick<TaskRun, "context" | "task">, failure: Failure): Promise<void> {
  const { recordId } = replicationInput(task);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    await finishTask(tables, task, failedEnd(failure, now));
    const record = await tables.replications.get(recordId);
    if (record?.status === "fail" || record?.status === "success") return;
    await tables.replications.update(recordId, { status: "fail", failCode: failure.errorCode, failReason: failure.message, updatedAt: now });
  });
}

async function follow({ context, task, control }: TaskRun, target: ReplicaTarget): Promise<ReplicationRecord> {
  const input = replicationInput(task);
  const isFar = input.destinationRegion !== context.settings.region;
  const order = await orderOf(context, task.projectId, task.backupId!, input.recordId);
  const dataBytes = order.dataBytes;
  let restarts = 0;
  let record = await patiently(() => target.begin(order));
  for (;;) {
    if (isFar) await mirror(context, record);
    control.progress({ phase: record.status, bytesDone: Math.floor((dataBytes * record.progress) / 100), bytesTotal: dataBytes });
    if (record.status === "fail" && record.failCode === errorKinds.sourceRegionUnreachable.cbr && restarts++ < maxRestarts) {
      await wait(lookMs.far * restarts);
      record = await patiently(() => target.begin(order));
      continue;
    }
    if (replicationIsOver(record.status)) return record;
    await wait(isFar ? lookMs.far : lookMs.near);
    const seen = await patiently(() => target.show(input.recordId));
    if (seen === undefined) throw new DomainError("replicationFailed", "The destination knows nothing of the copy any more.");
    record = seen;
  }

  async function wait(ms: number): Promise<void> {
    await context.clock.sleep(ms, control.signal);
  }

  /** Asks again for as long as there is hope that the destination comes back. */
  async function patiently<T>(ask: () => Promise<T>): Promise<T> {
    const untilUs = context.clock.nowUs() + patienceUs;
    for (let attempt = 1; ; attempt++) {
      control.signal.throwIfAborted();
      try {
        return await ask();
      } catch (error) {
        const mayPass = error instanceof DomainError && error.code === "destinationUnreachable" && context.clock.nowUs() < untilUs;
        if (!mayPass) throw error;
        context.log.debug({ err: error, taskId: task.id }, "the destination does not answer");
        await wait(Math.min(30_000, lookMs.far * attempt));
      }
    }
  }
}

/** What the destination needs to know, from the catalog and from what is sealed with each disk's backup. */
async function orderOf(context: Context, projectId: string, backupId: Id, recordId: Id): Promise<CopyOrder & { dataBytes: number }> {
  const { catalog, engine } = context;
  const record = await catalog.replications.get(recordId);
  if (record === undefined) throw new DomainError("replicationFailed", "The record of the copying is gone.");
  const [task] = (await catalog.tasks.openTasks({ backupId })).filter(
    (each) => each.type === "replication" && replicationInput(each).recordId === recordId,
  );
  const { destinationBackupName, description, retentionDays } = replicationInput(task!);
  const backup = await findBackup(catalog, { projectId }, backupId);
  const children = await catalog.backups.children(backupId);
  const resources: Record<Id, Resource> = {};
  const dataBytes: Record<Id, number> = {};
  let server: Resource | null = null;
  for (const disk of children.length > 0 ? children : [backup]) {
    const root = await engine.readRoot(projectId, disk.id);
    if (root === undefined) throw new DomainError("backupNotReplicable", `Backup ${disk.id} has lost its root object.`);
    const document = root.document as BackupDocument;
    resources[disk.id] = withoutPlace(document.resource);
    server ??= document.server;
    dataBytes[disk.id] = root.statistics.dataBytes;
  }
  return {
    record,
    objectType: objectTypeOf[backup.resourceType],
    name: destinationBackupName,
    description,
    retentionDays,
    backup,
    children,
    resources,
    server,
    diskBytes: dataBytes,
    dataBytes: Object.values(dataBytes).reduce((sum, bytes) => sum + bytes, 0),
  };
}

/** Where the bytes of a resource lie here is nobody else's business. */
const withoutPlace = (resource: Resource): Resource =>
  resource.type === "OS::Cinder::Volume" ? { ...resource, locator: `local:${resource.id}` } : resource;

/** The record here says what the destination's says. */
async function mirror(context: Context, record: ReplicationRecord): Promise<void> {
  const { id, status, destinationBackupId, destinationCheckpointId, progress, failCode, failReason } = record;
  const known = await context.catalog.replications.get(id);
  if (known === undefined || (known.status === status && known.progress === progress && known.destinationBackupId === destinationBackupId)) return;
  const told = { status, destinationBackupId, destinationCheckpointId, progress, failCode, failReason };
  await context.catalog.replications.update(id, { ...told, updatedAt: context.clock.nowUs() });
}

const endOf: Partial<Record<ReplicationRecord["status"], TaskEnd["status"]>> = { success: "success", skip: "skipped", fail: "failed" };

async function end({ context, task, control }: TaskRun, record: ReplicationRecord): Promise<void> {
  const { destinationBackupId, destinationCheckpointId, failCode, failReason } = record;
  const skipped = record.status === "skip" ? { errorCode: errorKinds.replicaExists.cbr, errorMessage: "There is a copy of the backup already." } : {};
  const failed = record.status === "fail" ? { errorCode: failCode, errorMessage: failReason } : {};
  await context.catalog.transaction((tables) =>
    finishTask(tables, task, {
      status: endOf[record.status] ?? "failed",
      now: context.clock.nowUs(),
      result: { destinationBackupId, destinationCheckpointId },
      progress: control.latest(),
      ...skipped,
      ...failed,
    }),
  );
}
