import type { Command } from "commander";
import { naiveUtc, parseUtc } from "#model/timestamps.ts";
import { systemClock } from "#platform/clock.ts";
import { clientCommand, withTools, wholeNumber } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import { formatTable } from "../support/format.ts";

interface Options {
  since?: string;
  until?: string;
  user?: string;
  operation?: string;
  event?: string;
  resource?: string;
  address?: string;
  refused?: boolean;
  allProjects?: boolean;
  limit: number;
}

interface WireEntry {
  user: { name: string } | null;
  operation: string;
  resource: { type: string; id: string | null; name: string | null } | null;
  request_id: string;
  address: string;
  status: number | null;
  error_code: string | null;
  times: number;
  created_at: string;
}

const perPage = 1000;

export function auditList(parent: Command): void {
  clientCommand(parent, "list", "list who has changed what, newest first")
    .option("--since <time>", "from then on: a UTC time such as 2030-01-31T00:00:00Z, or an age such as 90m, 24h or 7d")
    .option("--until <time>", "up to then")
    .option("--user <name>", "only what this user did; name or id")
    .option("--operation <name>", "only this operation, such as CreateVault")
    .option("--event <name>", "only this event, such as createVault")
    .option("--resource <id>", "only what was done to the thing with this id")
    .option("--address <address>", "only from this address")
    .option("--refused", "only what was refused or failed")
    .option("--all-projects", "of every project; needs the role admin")
    .option("--limit <n>", "entries at most", wholeNumber(1), 1000)
    .action((options: Options, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const filter = filterOf(options);
        const audit: WireEntry[] = [];
        let count = 0;
        while (audit.length < options.limit) {
          filter.set("limit", String(Math.min(perPage, options.limit - audit.length)));
          filter.set("offset", String(audit.length));
          const page = await client.own<{ audit: WireEntry[]; count: number }>("GET", `audit?${filter.toString()}`);
          audit.push(...page.audit);
          count = page.count;
          if (page.audit.length === 0 || audit.length >= count) break;
        }
        output.answer({ audit, count }, () => tableOf(audit, count));
      }),
    );
}

function tableOf(audit: readonly WireEntry[], count: number): string {
  const rows = audit.map((entry) => [
    entry.created_at.slice(0, 19),
    entry.user?.name,
    entry.address,
    entry.operation,
    entry.resource?.name ?? entry.resource?.id,
    entry.times,
    entry.status,
    entry.error_code,
    entry.request_id,
  ]);
  const table = formatTable(["when (UTC)", "user", "from", "operation", "of", "times", "status", "error", "request"], rows);
  return count > audit.length ? `${table}\n… and ${count - audit.length} more: --limit` : table;
}

function filterOf(options: Options): URLSearchParams {
  const { since, until, user, operation, event, resource, address, refused, allProjects } = options;
  const given: Record<string, string | undefined> = {
    start_time: since === undefined ? undefined : timeOf("--since", since),
    end_time: until === undefined ? undefined : timeOf("--until", until),
    user,
    operation,
    event,
    resource_id: resource,
    address,
    result: refused === true ? "refused" : undefined,
    all_projects: allProjects === true ? "true" : undefined,
  };
  return new URLSearchParams(Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

const unitSeconds: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

function timeOf(option: string, text: string): string {
  if (parseUtc(text) !== undefined) return text;
  const [, number = "", unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const seconds = unitSeconds[unit];
  if (seconds === undefined)
    throw new CommandError(`${option} must be a time such as 2030-01-31T00:00:00Z or an age such as 24h, not "${text}"`, { exitCode: 2 });
  return `${naiveUtc(systemClock.nowUs() - Number(number) * seconds * 1_000_000)}Z`;
}
