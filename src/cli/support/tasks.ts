import { systemClock } from "#platform/clock.ts";
import type { Bars } from "./bars.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./errors.ts";
import { taskIsOver, type WireTask } from "./wire.ts";

const pollMs = 200;

export const showTask = async (client: Client, id: string): Promise<WireTask> =>
  (await client.cbr<{ operation_log: WireTask }>("GET", `operation-logs/${encodeURIComponent(id)}`)).operation_log;

/** Follows a task to its end, whatever that is. */
export async function watchTask(client: Client, id: string, bars: Bars): Promise<WireTask> {
  let task = await showTask(client, id);
  const bar = bars.add(`${task.operation_type} ${task.extra_info.resource.name ?? task.vault_name ?? ""}`);
  for (;;) {
    const { bytes_done: done, bytes_total: total, rate, phase } = task.extra_info.common;
    bar.update(done ?? task.extra_info.common.progress, total === undefined ? 100 : total, rate, phase);
    if (taskIsOver(task)) break;
    await systemClock.sleep(pollMs);
    task = await showTask(client, id);
  }
  bar.finish(task.status === "success");
  return task;
}

/** As {@link watchTask}; a task that did not succeed is an error with the task's own words. */
export async function taskSuccess(client: Client, id: string, bars: Bars): Promise<WireTask> {
  const task = await watchTask(client, id, bars);
  if (task.status !== "success") throw new CommandError(taskFailure(task));
  return task;
}

export const taskFailure = (task: WireTask): string =>
  [
    task.operation_type,
    "of",
    task.extra_info.resource.name ?? task.id,
    "ended as",
    `${task.status}:`,
    task.error_info.message || "no reason was given",
  ].join(" ");

/** The tasks of one restore point. */
export async function tasksOfCheckpoint(client: Client, vaultId: string, checkpointId: string): Promise<WireTask[]> {
  const found: WireTask[] = [];
  for (;;) {
    const query = `operation-logs?operation_type=backup&vault_id=${vaultId}&limit=1000&offset=${found.length}`;
    const page = (await client.cbr<{ operation_logs: WireTask[] }>("GET", query)).operation_logs;
    found.push(...page);
    if (page.length < 1000) return found.filter((task) => task.checkpoint_id === checkpointId);
  }
}

/** Asks again until there is an answer, at most `seconds`. */
export async function until<T>(what: string, seconds: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadlineUs = systemClock.nowUs() + seconds * 1_000_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (systemClock.nowUs() > deadlineUs) throw new CommandError(`gave up waiting for ${what} after ${seconds} s`);
    await systemClock.sleep(pollMs);
  }
}
