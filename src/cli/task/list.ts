import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import { listAll } from "../support/paging.ts";
import type { WireTask } from "../support/wire.ts";

export function taskList(parent: Command): void {
  clientCommand(parent, "list", "list tasks, newest first")
    .option("--status <status>", "only in this status: waiting, running, success, failed")
    .action((options: { status?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const filter = options.status === undefined ? "" : `&status=${encodeURIComponent(options.status)}`;
        const tasks = await listAll((query) =>
          client.cbr<{ operation_logs: WireTask[] }>("GET", `operation-logs?${query}${filter}`).then((page) => page.operation_logs),
        );
        const rows = tasks.map((task) => [
          task.id,
          task.operation_type,
          task.extra_info.resource.name ?? task.vault_name,
          task.status,
          task.extra_info.common.progress,
          task.created_at.slice(0, 19),
          task.error_info.message,
        ]);
        output.answer({ operation_logs: tasks }, () => formatTable(["id", "operation", "of", "status", "%", "created (UTC)", "error"], rows));
      }),
    );
}
