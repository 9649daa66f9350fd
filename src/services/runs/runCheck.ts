import { naiveUtc } from "#model/timestamps.ts";
import type { CheckOutcome } from "#repository/engine-types.ts";
import { renderDamage } from "../check/damage-view.ts";
import { catalogFindings } from "../support/catalog-findings.ts";
import { noteDamage } from "../events/noteDamage.ts";
import { checkInput } from "../support/task-input.ts";
import { missingRoots } from "../support/missing-roots.ts";
import { describeFailure, failedEnd } from "./failure.ts";
import { finishTask, StaleTaskError, TaskStop } from "./run.ts";
import type { TaskRun } from "./run.ts";

/** Findings and packs that a task keeps; all are counted. */
const listed = 200;

/**
 * Checks what the store holds of the task's project, and the catalog against it. A check that was made has succeeded, whatever it found: that is
 * its result. May be repeated from the start after a crash.
 */
export async function runCheck({ context, task, control }: TaskRun): Promise<void> {
  const { readData } = checkInput(task);
  try {
    const outcome = await context.engine.check(
      { tenant: task.projectId, nowUs: context.clock.nowUs(), ...(readData === null ? {} : { readData }) },
      { signal: control.signal, onProgress: (progress) => control.progress(progress) },
    );
    const missing = await missingRoots(context, task.projectId);
    const inCatalog = await catalogFindings(context, task.projectId, (done, total) => {
      control.signal.throwIfAborted();
      control.progress({ phase: "catalog", bytesDone: done, bytesTotal: total });
    });
    const whole = {
      ...outcome,
      findings: [...inCatalog, ...outcome.findings],
      findingCount: inCatalog.length + outcome.findingCount,
      damagedBackups: [...outcome.damagedBackups, ...missing],
    };
    if (whole.findingCount + whole.damagedBackups.length > 0)
      context.log.warn(
        {
          taskId: task.id,
          findings: whole.findingCount,
          catalog: inCatalog.map(({ reason }) => reason).slice(0, listed),
          damagedBackups: whole.damagedBackups.map((each) => each.backupId),
        },
        "a check found damage",
      );
    await context.catalog.transaction(async (tables) => {
      await finishTask(tables, task, { status: "success", now: context.clock.nowUs(), result: resultOf(whole) });
      await noteDamage(tables, task, whole, context.clock.nowUs());
    });
  } catch (error) {
    const reason: unknown = control.signal.reason;
    if (error instanceof StaleTaskError || (reason instanceof TaskStop && reason.kind === "leaseLost")) throw error;
    const failure = describeFailure(error, control.signal);
    context.log.warn({ err: error, taskId: task.id, reason: failure.message }, "a check could not be made");
    await context.catalog.transaction((tables) => finishTask(tables, task, failedEnd(failure, context.clock.nowUs())));
  }
}

function resultOf(outcome: CheckOutcome): Record<string, unknown> {
  const { findings, packResults, damagedBackups, oldestVerifiedAtUs, ...figures } = outcome;
  return {
    ...figures,
    findings: findings.slice(0, listed),
    packResults: packResults
      .slice(0, listed)
      .map((pack) => ({ pack: pack.packId, size_bytes: pack.sizeBytes, damaged_records: pack.damagedRecords })),
    damagedBackups: damagedBackups.slice(0, listed).map(renderDamage),
    oldestVerifiedAt: oldestVerifiedAtUs === null ? null : naiveUtc(oldestVerifiedAtUs),
  };
}
