import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function webhookRemove(parent: Command): void {
  clientCommand(parent, "remove <id>", "send no more events there").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      await client.own("DELETE", `webhooks/${encodeURIComponent(id)}`);
      output.answer({ removed: id }, () => `webhook ${id} removed`);
    }),
  );
}
