import { DomainError } from "#model/errors.ts";
import type { CollectReport } from "#repository/collect.ts";
import { collectRequest } from "../collect/collectRequest.ts";
import { collectInput } from "../support/task-input.ts";
import { describeFailure, failedEnd } from "./failure.ts";
import { finishTask, StaleTaskError, TaskStop } from "./run.ts";
import type { TaskRun } from "./run.ts";

/** Damaged backups that a task keeps; all are counted. */
const listed = 200;

/** Collects what no backup of the task's project needs. May be repeated from the start after a crash. */
export async function runCollect({ context, task, control }: TaskRun): Promise<void> {
  try {
    const report = await context.engine.collect(collectRequest(context, task.projectId, collectInput(task)), {
      signal: control.signal,
      onProgress: (progress) => control.progress(progress),
    });
    const { stopped } = report.plan;
    if (stopped !== undefined)
      context.log.warn({ taskId: task.id, projectId: task.projectId, reason: stopped }, "a collection stopped before it took anything");
    else context.log.info({ taskId: task.id, projectId: task.projectId, ...report.done, freedBytes: report.freedBytes }, "collected");
    const failure = stopped === undefined ? undefined : describeFailure(new DomainError("conflict", `Nothing was collected: ${stopped}.`));
    await context.catalog.transaction((tables) =>
      finishTask(tables, task, {
        now: context.clock.nowUs(),
        result: resultOf(report),
        ...(failure === undefined ? { status: "success" } : { status: "failed", errorCode: failure.errorCode, errorMessage: failure.message }),
      }),
    );
  } catch (error) {
    const reason: unknown = control.signal.reason;
    if (error instanceof StaleTaskError || (reason instanceof TaskStop && reason.kind === "leaseLost")) throw error;
    const failure = describeFailure(error, control.signal);
    context.log.warn({ err: error, taskId: task.id, reason: failure.message }, "a collection could not be made");
    await context.catalog.transaction((tables) => finishTask(tables, task, failedEnd(failure, context.clock.nowUs())));
  }
}

function resultOf({ plan, done, damaged, rootCount, condemnedBytes, freedBytes }: CollectReport): Record<string, unknown> {
  return {
    ...done,
    roots: rootCount,
    packBytes: plan.packBytes,
    liveBytes: plan.liveBytes,
    condemnedBytes,
    freedBytes,
    damagedBackups: damaged.slice(0, listed).map(({ backupId, reason }) => ({ backup_id: backupId, reason })),
  };
}
