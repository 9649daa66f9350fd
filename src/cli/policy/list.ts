import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import type { WireDefinition, WirePolicy } from "../support/wire.ts";

export function policyList(parent: Command): void {
  clientCommand(parent, "list", "list the project's policies")
    .option("--vault <id>", "only those that are applied to this vault")
    .action((options: { vault?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const query = options.vault === undefined ? "" : `?vault_id=${encodeURIComponent(options.vault)}`;
        const { policies } = await client.cbr<{ policies: WirePolicy[] }>("GET", `policies${query}`);
        const rows = policies.map((policy) => {
          const next = policy.associated_vaults.flatMap(({ next_run_at: at }) => at ?? []).toSorted()[0];
          const rules = policy.trigger.properties.pattern.join(" ");
          return [policy.id, policy.name, policy.operation_type, policy.enabled, rules, keeps(policy), policy.associated_vaults.length, next];
        });
        output.answer({ policies }, () => formatTable(["id", "name", "type", "enabled", "rules", "keeps", "vaults", "next run (UTC)"], rows));
      }),
    );
}

/** `7` newest, `3d` of days, `4w`, `12m`, `2y`; `30 days`; or all. */
function keeps({ operation_definition: definition }: WirePolicy): string {
  const { max_backups: most = -1, retention_duration_days: days = -1 } = definition;
  if (days > 0) return `${days} days`;
  if (most <= 0) return "all";
  const periods: [keyof WireDefinition, string][] = [
    ["day_backups", "d"],
    ["week_backups", "w"],
    ["month_backups", "m"],
    ["year_backups", "y"],
  ];
  return [String(most), ...periods.flatMap(([key, unit]) => (Number(definition[key] ?? 0) > 0 ? [`${definition[key]}${unit}`] : []))].join(" ");
}
