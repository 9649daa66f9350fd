import type { Command } from "commander";
import type { WireProject } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function projectCreate(parent: Command): void {
  clientCommand(parent, "create <name>", "make a project (administrators)")
    .option("--description <text>", "what it is for")
    .action((name: string, { description }: { description?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const wanted = { name, ...(description === undefined ? {} : { description }) };
        const { project } = await client.identity<{ project: WireProject }>("POST", "v3/projects", { project: wanted });
        output.answer({ project }, () => `project ${project.id}`);
      }),
    );
}
