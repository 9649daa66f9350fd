import type { Tables } from "#catalog/tables.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { noteTaskEnd } from "../events/noteTaskEnd.ts";
import { newTask } from "./new-task.ts";

type Told = Pick<Task, "projectId" | "type" | "errorCode" | "errorMessage"> & Partial<Task> & { status: "skipped" | "failed" };

/** What was to be done and was not even begun is seen in the operation log all the same. */
export async function insertEndedTask(context: Context, tables: Tables, told: Told): Promise<void> {
  const now = context.clock.nowUs();
  const task = newTask(context, { startedAt: now, endedAt: now, ...told });
  await tables.tasks.insert(task);
  await noteTaskEnd(tables, task);
}
