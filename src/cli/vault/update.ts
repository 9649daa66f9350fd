import type { Command } from "commander";
import { clientCommand, wholeNumber, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import { formatObject } from "../support/output.ts";
import type { WireVault } from "../support/wire.ts";
import { settingsBody, vaultSettings } from "./settings.ts";
import type { VaultSettings } from "./settings.ts";

export function vaultUpdate(parent: Command): void {
  vaultSettings(clientCommand(parent, "update <id>", "change a vault's name, capacity or settings"))
    .option("--name <name>", "another name")
    .option("--size <gib>", "another capacity, GiB", wholeNumber(1))
    .option("--alerts", "raise alerts again")
    .option("--no-auto-bind", "bind nothing more by itself")
    .option("--no-bind-tag", "bind whatever is unprotected, not only what has certain tags")
    .option("--no-auto-expand", "keep the capacity")
    .action((id: string, options: VaultSettings & { name?: string; size?: number }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        // An option that has a counterpart beginning with --no has a default, which nobody asked for.
        const isGiven = (name: string): boolean => command.getOptionValueSource(name) === "cli";
        const given = Object.fromEntries(Object.entries(options).filter(([name]) => isGiven(name))) as typeof options;
        const body = {
          ...settingsBody(given),
          ...(given.name === undefined ? {} : { name: given.name }),
          ...(given.size === undefined ? {} : { billing: { size: given.size } }),
        };
        if (Object.keys(body).length === 0) throw new CommandError("nothing to change was given", { exitCode: 2 });
        const { vault } = await client.cbr<{ vault: WireVault }>("PUT", `vaults/${encodeURIComponent(id)}`, { vault: body });
        output.answer({ vault }, () => formatObject(vault));
      }),
    );
}
