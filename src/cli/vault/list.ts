import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import { listAll } from "../support/paging.ts";
import type { WireVault } from "../support/wire.ts";

export function vaultList(parent: Command): void {
  clientCommand(parent, "list", "list the project's vaults").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const vaults = await listAll((query) => client.cbr<{ vaults: WireVault[] }>("GET", `vaults?${query}`).then((page) => page.vaults));
      const rows = vaults.map(({ id, name, billing, resources }) => [
        id,
        name,
        billing.object_type,
        billing.status,
        billing.size,
        billing.used,
        resources.length,
      ]);
      output.answer({ vaults }, () => formatTable(["id", "name", "type", "status", "GiB", "used MiB", "resources"], rows));
    }),
  );
}
