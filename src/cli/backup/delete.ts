import type { Command } from "commander";
import { showBackup } from "../support/backups.ts";
import { clientCommand, withTools } from "../support/command.ts";
import { untilGone } from "../support/gone.ts";

export function backupDelete(parent: Command): void {
  clientCommand(parent, "delete <id>", "delete a backup; later incrementals stay restorable").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        await client.cbr("DELETE", `backups/${encodeURIComponent(id)}`);
        await untilGone(
          `backup ${id}`,
          () => showBackup(client, id),
          (backup) => backup.status,
        );
        output.answer({ deleted: id }, () => `deleted ${id}`);
      }),
  );
}
