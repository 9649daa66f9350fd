import type { Command } from "commander";
import { findProject, findUser } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function roleRevoke(parent: Command): void {
  clientCommand(parent, "revoke <role> <user> <project>", "take a role on a project from a user (administrators)").action(
    (role: string, userName: string, projectName: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const [user, project] = [await findUser(client, userName), await findProject(client, projectName)];
        await client.identity("DELETE", `v3/projects/${project.id}/users/${user.id}/roles/${encodeURIComponent(role)}`);
        output.answer({ role, user_id: user.id, project_id: project.id }, () => `${user.name} is no longer ${role} of ${project.name}`);
      }),
  );
}
