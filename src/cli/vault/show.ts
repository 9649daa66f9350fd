import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatObject } from "../support/output.ts";
import type { WireVault } from "../support/wire.ts";

export function vaultShow(parent: Command): void {
  clientCommand(parent, "show <id>", "show a vault").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const { vault } = await client.cbr<{ vault: WireVault }>("GET", `vaults/${encodeURIComponent(id)}`);
      output.answer({ vault }, () => formatObject(vault));
    }),
  );
}
