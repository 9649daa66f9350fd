import type { Command } from "commander";
import { findProject } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function projectDelete(parent: Command): void {
  clientCommand(parent, "delete <project>", "remove an empty project, by id or name (administrators)").action(
    (given: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const { id } = await findProject(client, given);
        await client.identity("DELETE", `v3/projects/${id}`);
        output.answer({ project: { id } }, () => `project ${id} is gone`);
      }),
  );
}
