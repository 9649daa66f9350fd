import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

interface Credential {
  access: string;
  user_id: string;
  project_id: string;
  status: string;
}

export function accessKeyList(parent: Command): void {
  clientCommand(parent, "list", "list access keys: your own; an administrator sees all").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const { credentials } = await client.identity<{ credentials: Credential[] }>("GET", "v3.0/OS-CREDENTIAL/credentials");
      const rows = credentials.map((one) => [one.access, one.user_id, one.project_id, one.status]);
      output.answer({ credentials }, () => formatTable(["access key", "user", "project", "status"], rows));
    }),
  );
}
