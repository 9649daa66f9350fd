import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";
import type { CollectTaskInput } from "../support/task-input.ts";

/**
 * Queues a collection of what no backup of a project needs any more.
 * @throws DomainError `conflict` when one waits or runs already
 */
export async function createCollection(
  context: Context,
  caller: Pick<Caller, "projectId"> & { requestId: string | null },
  input: CollectTaskInput,
): Promise<Task> {
  const task = await context.catalog.transaction(async (tables) => {
    for (const status of ["waiting", "running"] as const) {
      const { items } = await tables.tasks.list(caller.projectId, { type: "collect", status }, { limit: 1, offset: 0 });
      if (items[0] !== undefined) throw new DomainError("conflict", `Collection ${items[0].id} of this project is ${status} already.`);
    }
    const made = newTask(context, { projectId: caller.projectId, type: "collect", input: asInput(input), requestId: caller.requestId });
    await tables.tasks.insert(made);
    return made;
  });
  context.wake();
  return task;
}
