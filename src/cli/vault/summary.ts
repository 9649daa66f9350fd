import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function vaultSummary(parent: Command): void {
  clientCommand(parent, "summary", "show what all vaults of the project hold and may hold").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const summary = await client.cbr<{ size: number; used_size: number }>("GET", "vaults/summary");
      output.answer(summary, () => `${summary.used_size} MiB used of ${summary.size} GiB`);
    }),
  );
}
