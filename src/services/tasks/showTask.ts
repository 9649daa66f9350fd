import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Task } from "#model/task.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function showTask(_context: Context, _caller: Caller, _input: { taskId: Id }): Promise<Task> {
  throw new InvariantError("showTask is being written");
}
