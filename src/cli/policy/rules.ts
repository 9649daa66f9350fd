import { type Command, InvalidArgumentError } from "commander";
import { several, wholeNumber } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import type { WireDefinition, WirePolicy } from "../support/wire.ts";

/** What a policy can be made with and be changed to. */
export interface PolicyRules {
  at?: string[];
  every?: number;
  on?: string;
  rule?: string[];
  timezone?: string;
  keep?: number;
  keepDays?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepForever?: boolean;
  keepTimezone?: string;
  fullEvery?: number;
}

const timeOfDay = (text: string, before: string[] | undefined): string[] => {
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(text)) throw new InvalidArgumentError("It must be a time of day, such as 02:30.");
  return several(text, before);
};
const most = wholeNumber(1, 99_999);
const few = wholeNumber(0, 100);

export const policyRules = (command: Command): Command =>
  command
    .option("--at <HH:MM>", "run at this time of day; may be given several times", timeOfDay)
    .option("--every <days>", "run every so many days (default: each day)", wholeNumber(1, 30))
    .option("--on <days>", "run on these days of the week: MO,TU,WE,TH,FR,SA,SU")
    .option("--rule <rule>", "a rule as CBR writes it, such as FREQ=DAILY;INTERVAL=2;BYHOUR=6;BYMINUTE=00; several times", several)
    .option("--timezone <zone>", "zone of those times, such as Europe/Berlin (default: UTC)")
    .option("--keep <n>", "keep the newest n automatic backups of each resource", most)
    .option("--keep-days <n>", "keep each backup for n days", most)
    .option("--keep-daily <n>", "besides --keep, the newest of each of n days", few)
    .option("--keep-weekly <n>", "and of each of n weeks", few)
    .option("--keep-monthly <n>", "and of each of n months", few)
    .option("--keep-yearly <n>", "and of each of n years", few)
    .option("--keep-timezone <zone>", "where those days begin: UTC+01:00 or the name of a zone (default: as --timezone, else UTC)")
    .option("--keep-forever", "let nothing expire by itself")
    .option("--full-every <n>", "a full backup after n incremental ones", few);

/** The schedule as CBR takes it: new times in the zone of `before`, or its times in a new zone; undefined when neither was given. */
export function triggerBody({ at, every, on, rule, timezone }: PolicyRules, before?: WirePolicy["trigger"]) {
  if (every !== undefined && on !== undefined) throw new CommandError("--every and --on exclude each other", { exitCode: 2 });
  const days = on === undefined ? `FREQ=DAILY;INTERVAL=${every ?? 1}` : `FREQ=WEEKLY;BYDAY=${on.toUpperCase()}`;
  const made = (at ?? []).map((time) => `${days};BYHOUR=${time.slice(0, 2)};BYMINUTE=${time.slice(3)}`);
  const given = [...made, ...(rule ?? [])];
  if (given.length === 0 && (every !== undefined || on !== undefined)) throw new CommandError("at what time does it run? Give --at", { exitCode: 2 });
  if (given.length === 0 && timezone === undefined) return undefined;
  const pattern = given.length > 0 ? given : (before?.properties.pattern ?? []);
  return { properties: { pattern, ...present({ timezone: timezone ?? before?.properties.timezone }) } };
}

/** The rule of `before` with what was given changed; undefined when nothing was. Days and numbers take each other's place. */
export function definitionBody(rules: PolicyRules, before: WireDefinition = {}): WireDefinition | undefined {
  const counts = {
    max_backups: rules.keep,
    day_backups: rules.keepDaily,
    week_backups: rules.keepWeekly,
    month_backups: rules.keepMonthly,
    year_backups: rules.keepYearly,
  };
  const hasCounts = Object.values(counts).some((count) => count !== undefined);
  const isGiven = hasCounts || [rules.keepDays, rules.keepForever, rules.keepTimezone, rules.fullEvery].some((option) => option !== undefined);
  if (!isGiven) return undefined;
  if (hasCounts && rules.keepDays !== undefined) throw new CommandError("--keep-days and numbers of backups exclude each other", { exitCode: 2 });
  const { full_backup_interval, destination_region, destination_project_id, ...retention } = before;
  const stays =
    rules.keepForever === true ? {} : hasCounts ? { ...retention, retention_duration_days: -1 } : rules.keepDays !== undefined ? {} : retention;
  const timezone = rules.keepTimezone ?? stays.timezone ?? rules.timezone ?? (hasCounts ? "UTC+00:00" : undefined);
  const given = { ...counts, retention_duration_days: rules.keepDays, timezone, full_backup_interval: rules.fullEvery };
  const destination = { full_backup_interval, destination_region, destination_project_id };
  return { ...present(destination), ...stays, ...present(given) } as WireDefinition;
}

const present = <T extends object>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
