import type { Tables, TaskTable } from "#catalog/tables.ts";
import type { Task, TaskProgress } from "#model/task.ts";
import type { Context } from "../context.ts";
import { noteTaskEnd } from "../events/noteTaskEnd.ts";

/** What a run is told and may say while it works. */
export interface RunControl {
  /** Aborted with a {@link TaskStop}. */
  signal: AbortSignal;
  progress(progress: Omit<TaskProgress, "rate">): void;
  /** What was said last, with the rate. */
  latest(): TaskProgress;
}

/** A claimed task and what it needs. */
export interface TaskRun {
  context: Context;
  task: Task;
  control: RunControl;
}

const stopMessages: Record<TaskStop["kind"], string> = {
  cancelled: "cancelled",
  shutdown: "interrupted: the service was stopped",
  leaseLost: "the task was taken over by another worker",
  timeout: "stopped: it took longer than a task may",
};

/** Why a run has to stop. */
export class TaskStop extends Error {
  override readonly name = "TaskStop";
  readonly kind: "cancelled" | "shutdown" | "leaseLost" | "timeout";

  constructor(kind: TaskStop["kind"]) {
    super(stopMessages[kind]);
    this.kind = kind;
  }
}

/** How a task ended. */
export type TaskEnd = Parameters<TaskTable["finish"]>[2];

/** Someone else has ended or taken over the task: nothing of this run may be written. */
export class StaleTaskError extends Error {
  override readonly name = "StaleTaskError";
}

/**
 * Ends the task inside the transaction that writes what it did, and notes the event.
 * @throws StaleTaskError when the task is no longer this run's; the transaction must be rolled back
 */
export async function finishTask(tables: Tables, task: Task, end: TaskEnd): Promise<void> {
  const ended =
    task.status === "waiting" ? await tables.tasks.finishWaiting(task.id, end) : await tables.tasks.finish(task.id, task.fencingToken, end);
  if (!ended) throw new StaleTaskError(`task ${task.id} is not this run's any more`);
  const now = await tables.tasks.get(task.projectId, task.id);
  if (now !== undefined) await noteTaskEnd(tables, now);
  if ((task.type === "backup" || task.type === "replica") && task.vaultId !== null) await tables.policies.requestExpiry(task.vaultId);
}
