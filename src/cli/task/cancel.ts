import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { watchTask } from "../support/tasks.ts";

export function taskCancel(parent: Command): void {
  clientCommand(parent, "cancel <id>", "stop a waiting or running task, and wait until it has ended").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        await client.cbr("POST", `operation-logs/${encodeURIComponent(id)}/cancel`);
        const task = await watchTask(client, id, bars);
        output.answer({ operation_log: task }, () => `${task.id} ${task.operation_type} ${task.status}: ${task.error_info.message}`);
      }),
  );
}
