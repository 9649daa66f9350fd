import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function policyDelete(parent: Command): void {
  clientCommand(parent, "delete <id>", "delete a policy; what it has made stays").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      await client.cbr("DELETE", `policies/${encodeURIComponent(id)}`);
      output.answer({ deleted: id }, () => `deleted ${id}`);
    }),
  );
}
