import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import type { WireVault } from "../support/wire.ts";

export function vaultLock(parent: Command): void {
  clientCommand(parent, "lock <id>", "make a vault write-once: its backups are kept until their time is over, whoever wants them gone")
    .requiredOption("--confirm <id>", "the vault once more: there is no way back")
    .action((id: string, options: { confirm: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        if (options.confirm !== id) throw new CommandError("--confirm is not the vault: nothing was changed", { exitCode: 2 });
        const { vault } = await client.cbr<{ vault: WireVault }>("PUT", `vaults/${encodeURIComponent(id)}`, { vault: { locked: true } });
        output.answer({ vault }, () => `locked ${vault.id} (${vault.name})`);
      }),
    );
}
