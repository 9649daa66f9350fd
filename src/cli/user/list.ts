import type { Command } from "commander";
import { listUsers } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

export function userList(parent: Command): void {
  clientCommand(parent, "list", "list the users (administrators)").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const users = await listUsers(client);
      const rows = users.map((user) => [user.id, user.name, user.enabled, user.default_project_id]);
      output.answer({ users }, () => formatTable(["id", "name", "enabled", "default project"], rows));
    }),
  );
}
