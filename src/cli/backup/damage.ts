import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { damageLines } from "../support/damage.ts";
import type { WireDamage } from "../support/wire.ts";

export function backupDamage(parent: Command): void {
  clientCommand(parent, "damage [id]", "list what is known to be lost, of one backup or of all: backups and byte ranges").action(
    (id: string | undefined, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const damaged =
          id === undefined
            ? (await client.own<{ damaged_backups: WireDamage[] }>("GET", "damage")).damaged_backups
            : (await client.own<{ damage: WireDamage[] }>("GET", `backups/${encodeURIComponent(id)}/damage`)).damage;
        output.answer({ damaged_backups: damaged }, () =>
          damaged.length === 0 ? "nothing is known to be damaged" : damageLines(damaged).join("\n"),
        );
      }),
  );
}
