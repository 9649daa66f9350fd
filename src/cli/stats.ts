import type { Command } from "commander";
import { clientCommand, withTools } from "./support/command.ts";
import { formatBytes, formatTable } from "./support/format.ts";

interface WireFigures {
  backup_count: number;
  logical_bytes: number;
  unique_bytes: number;
  stored_bytes: number;
  savings: number;
  change_rate: number | null;
}

interface WireStatistics {
  project: WireFigures & { store_bytes: number };
  vaults: (WireFigures & { vault_id: string; name: string | null })[];
  resources: (WireFigures & { resource_id: string; name: string })[];
}

/** One decimal; what rounds to nothing has no sign. */
const percent = (share: number | null): string | null => (share === null ? null : `${(Math.round(1000 * share) / 10 || 0).toFixed(1)} %`);

export function stats(parent: Command): void {
  clientCommand(parent, "stats", "show what the backups hold and take: in all, by vault and by disk").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const found = await client.own<WireStatistics>("GET", "statistics");
      const row = (kind: string, name: string | null, each: WireFigures) => [
        kind,
        name,
        each.backup_count,
        formatBytes(each.logical_bytes),
        formatBytes(each.unique_bytes),
        formatBytes(each.stored_bytes),
        percent(each.savings),
        percent(each.change_rate),
      ];
      output.answer(found, () =>
        [
          formatTable(
            ["of", "name", "backups", "logical", "unique", "stored", "saved", "changed"],
            [
              row("project", null, found.project),
              ...found.vaults.map((vault) => row("vault", vault.name ?? vault.vault_id, vault)),
              ...found.resources.map((resource) => row("disk", resource.name, resource)),
            ],
          ),
          `the project's packs in the store have ${formatBytes(found.project.store_bytes)}`,
        ].join("\n"),
      );
    }),
  );
}
