import type { Listed, Page, TaskFilter } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";

export async function listTasks(context: Context, caller: Caller, input: { filter: TaskFilter; page: Page }): Promise<Listed<Task>> {
  return context.catalog.tasks.list(caller.projectId, withinReach(caller, input.filter), input.page);
}
