import type { Command } from "commander";
import { findProject, makePassword, type WireUser } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function userCreate(parent: Command): void {
  clientCommand(parent, "create <name>", "make a user (administrators); without OPENCBR_USER_PASSWORD a password is made and shown once")
    .option("--project <project>", "its default project, by id or name")
    .option("--role <role>", "its role on that project", "member")
    .action((name: string, options: { project?: string; role: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const project = options.project === undefined ? undefined : await findProject(client, options.project);
        const given = process.env["OPENCBR_USER_PASSWORD"] || undefined;
        const password = given ?? makePassword();
        const wanted = { name, password, ...(project === undefined ? {} : { default_project_id: project.id }) };
        const { user } = await client.identity<{ user: WireUser }>("POST", "v3/users", { user: wanted });
        if (project !== undefined) await client.identity("PUT", `v3/projects/${project.id}/users/${user.id}/roles/${options.role}`);
        const shown = given === undefined ? { password } : {};
        output.answer({ user, ...shown }, () => `user ${user.id}${given === undefined ? `\npassword ${password}` : ""}`);
      }),
    );
}
