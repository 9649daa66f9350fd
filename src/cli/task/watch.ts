import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import { taskFailure, watchTask } from "../support/tasks.ts";
import type { WireTask } from "../support/wire.ts";

export function taskWatch(parent: Command): void {
  clientCommand(parent, "watch [id...]", "follow tasks to their end; without an id, all that are waiting or running").action(
    (ids: string[], _options: object, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        const open = async (status: string): Promise<string[]> =>
          (await client.cbr<{ operation_logs: WireTask[] }>("GET", `operation-logs?status=${status}&limit=100`)).operation_logs.map(
            (task) => task.id,
          );
        const watched = ids.length > 0 ? ids : [...new Set([...(await open("running")), ...(await open("waiting"))])];
        const tasks = await Promise.all(watched.map((id) => watchTask(client, id, bars)));
        output.answer(
          { operation_logs: tasks },
          () => tasks.map((task) => `${task.id} ${task.operation_type} ${task.status}`).join("\n") || "nothing is waiting or running",
        );
        const failures = tasks.filter((task) => task.status !== "success").map(taskFailure);
        if (failures.length > 0) throw new CommandError(failures.join("; "));
      }),
  );
}
