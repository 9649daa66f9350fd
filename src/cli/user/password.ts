import type { Command } from "commander";
import { findUser, makePassword } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function userPassword(parent: Command): void {
  clientCommand(
    parent,
    "password <user>",
    "set a user's password to OPENCBR_USER_PASSWORD, or to a new one that is shown once (administrators)",
  ).action((name: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const { id } = await findUser(client, name);
      const given = process.env["OPENCBR_USER_PASSWORD"] || undefined;
      const password = given ?? makePassword();
      await client.identity("PATCH", `v3/users/${id}`, { user: { password } });
      const shown = given === undefined ? { password } : {};
      output.answer({ user: { id }, ...shown }, () => (given === undefined ? `password ${password}` : `user ${id} has the new password`));
    }),
  );
}
