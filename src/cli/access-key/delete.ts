import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function accessKeyDelete(parent: Command): void {
  clientCommand(parent, "delete <access-key>", "remove an access key").action((access: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      await client.identity("DELETE", `v3.0/OS-CREDENTIAL/credentials/${encodeURIComponent(access)}`);
      output.answer({ access }, () => `access key ${access} is gone`);
    }),
  );
}
