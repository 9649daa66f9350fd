import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { TaskFilter, Page, Listed } from "#catalog/tables.ts";
import type { Task } from "#model/task.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listTasks(_context: Context, _caller: Caller, _input: { filter: TaskFilter; page: Page }): Promise<Listed<Task>> {
  throw new InvariantError("listTasks is being written");
}
