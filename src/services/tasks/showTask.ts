import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { findTask } from "../support/find.ts";

/** @throws DomainError `taskNotFound` */
export async function showTask(context: Context, caller: Caller, input: { taskId: Id }): Promise<Task> {
  return findTask(context.catalog, caller, input.taskId);
}
