import type { Command } from "commander";
import { listProjects } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

export function projectList(parent: Command): void {
  clientCommand(parent, "list", "list the projects that you may use; an administrator sees all").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const projects = await listProjects(client);
      const rows = projects.map(({ id, name, enabled, description }) => [id, name, enabled, description]);
      output.answer({ projects }, () => formatTable(["id", "name", "enabled", "description"], rows));
    }),
  );
}
