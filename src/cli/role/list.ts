import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

interface Assignment {
  role: { name: string };
  user: { id: string; name: string };
  scope: { project: { id: string; name: string } };
}

export function roleList(parent: Command): void {
  clientCommand(parent, "list", "list who has which role on which project (administrators)").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const path = "v3/role_assignments?include_names=true";
      const { role_assignments: assignments } = await client.identity<{ role_assignments: Assignment[] }>("GET", path);
      const rows = assignments.map(({ role, user, scope }) => [scope.project.name, user.name, role.name]);
      output.answer({ role_assignments: assignments }, () => formatTable(["project", "user", "role"], rows));
    }),
  );
}
