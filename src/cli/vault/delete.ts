import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { untilGone } from "../support/gone.ts";
import type { WireVault } from "../support/wire.ts";

export function vaultDelete(parent: Command): void {
  clientCommand(parent, "delete <id>", "delete a vault and every backup in it").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const path = `vaults/${encodeURIComponent(id)}`;
      await client.cbr("DELETE", path);
      await untilGone(
        `vault ${id}`,
        () => client.cbr<{ vault: WireVault }>("GET", path),
        ({ vault }) => vault.billing.status,
      );
      output.answer({ deleted: id }, () => `deleted ${id}`);
    }),
  );
}
