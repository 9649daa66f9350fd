import type { Command } from "commander";
import { findUser } from "../support/accounts.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function userDelete(parent: Command): void {
  clientCommand(parent, "delete <user>", "remove a user with its access keys, by id or name (administrators)").action(
    (given: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const { id } = await findUser(client, given);
        await client.identity("DELETE", `v3/users/${id}`);
        output.answer({ user: { id } }, () => `user ${id} is gone`);
      }),
  );
}
