import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function policyBind(parent: Command): void {
  clientCommand(parent, "bind <id> <vault>", "apply a policy to a vault, in place of the one of its kind")
    .option("--to <vault>", "of a replication policy: the vault of the copies")
    .action((id: string, vault: string, options: { to?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const destination = options.to === undefined ? {} : { destination_vault_id: options.to };
        const answer = await client.cbr<object>("POST", `vaults/${encodeURIComponent(vault)}/associatepolicy`, { policy_id: id, ...destination });
        output.answer(answer, () => `policy ${id} is applied to vault ${vault}`);
      }),
    );
}

export function policyUnbind(parent: Command): void {
  clientCommand(parent, "unbind <id> <vault>", "take a policy off a vault; what it has made stays").action(
    (id: string, vault: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const answer = await client.cbr<object>("POST", `vaults/${encodeURIComponent(vault)}/dissociatepolicy`, { policy_id: id });
        output.answer(answer, () => `policy ${id} is no longer applied to vault ${vault}`);
      }),
  );
}
