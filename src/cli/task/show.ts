import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatObject } from "../support/output.ts";
import { showTask } from "../support/tasks.ts";

export function taskShow(parent: Command): void {
  clientCommand(parent, "show <id>", "show a task").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const task = await showTask(client, id);
      output.answer({ operation_log: task }, () => formatObject(task));
    }),
  );
}
