import type { Command } from "commander";
import { findProject, findUser } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function accessKeyCreate(parent: Command): void {
  clientCommand(parent, "create <user>", "make an access key for a user; its secret is shown once (administrators)")
    .option("--project <project>", "project of requests that name none (default: the user's)")
    .action((userName: string, { project }: { project?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const { id } = await findUser(client, userName);
        const projectId = project === undefined ? {} : { project_id: (await findProject(client, project)).id };
        const body = { credential: { user_id: id, ...projectId } };
        const { credential } = await client.identity<{ credential: { access: string; secret: string } }>(
          "POST",
          "v3.0/OS-CREDENTIAL/credentials",
          body,
        );
        output.answer({ credential }, () => `access key ${credential.access}\nsecret key ${credential.secret}`);
      }),
    );
}
