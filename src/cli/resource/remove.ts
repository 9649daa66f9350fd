import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function resourceRemove(parent: Command): void {
  clientCommand(parent, "remove <id>", "forget a registered server or file; its backups stay").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        await client.own("DELETE", `resources/${encodeURIComponent(id)}`);
        output.answer({ removed: id }, () => `removed ${id}`);
      }),
  );
}
