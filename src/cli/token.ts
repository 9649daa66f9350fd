import type { Command } from "commander";
import { clientCommand, withTools } from "./support/command.ts";

export function token(parent: Command): void {
  clientCommand(parent, "token", "print a token for the project").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const answer = await client.login();
      output.answer({ token: answer.token, project_id: answer.projectId, expires_at: answer.expiresAt }, () => answer.token);
    }),
  );
}
