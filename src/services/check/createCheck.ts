import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Task } from "#model/task.ts";
import type { Context } from "../context.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";
import type { CheckTaskInput } from "../support/task-input.ts";

/**
 * Queues a check of all that the store holds of a project.
 * @throws DomainError `invalidRequest`, `conflict` when one waits or runs already
 */
export async function createCheck(
  context: Context,
  caller: Pick<Caller, "projectId"> & { requestId: string | null },
  { readData }: CheckTaskInput,
): Promise<Task> {
  if (readData !== null && "percent" in readData && !(readData.percent > 0 && readData.percent <= 100))
    throw new DomainError("invalidRequest", "read_percent: must be above 0 and at most 100", { field: "read_percent" });
  if (readData !== null && "bytes" in readData && !(Number.isSafeInteger(readData.bytes) && readData.bytes > 0))
    throw new DomainError("invalidRequest", "read_bytes: must be a whole number above 0", { field: "read_bytes" });
  const task = await context.catalog.transaction(async (tables) => {
    for (const status of ["waiting", "running"] as const) {
      const { items } = await tables.tasks.list(caller.projectId, { type: "check", status }, { limit: 1, offset: 0 });
      if (items[0] !== undefined) throw new DomainError("conflict", `Check ${items[0].id} of this project is ${status} already.`);
    }
    const made = newTask(context, { projectId: caller.projectId, type: "check", input: asInput({ readData }), requestId: caller.requestId });
    await tables.tasks.insert(made);
    return made;
  });
  context.wake();
  return task;
}
