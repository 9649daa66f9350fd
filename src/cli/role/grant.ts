import type { Command } from "commander";
import { findProject, findUser } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function roleGrant(parent: Command): void {
  clientCommand(parent, "grant <role> <user> <project>", "give a user a role on a project (administrators)").action(
    (role: string, userName: string, projectName: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const [user, project] = [await findUser(client, userName), await findProject(client, projectName)];
        await client.identity("PUT", `v3/projects/${project.id}/users/${user.id}/roles/${encodeURIComponent(role)}`);
        output.answer({ role, user_id: user.id, project_id: project.id }, () => `${user.name} is ${role} of ${project.name}`);
      }),
  );
}
