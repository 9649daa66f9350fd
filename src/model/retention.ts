import type { Id, TimestampUs } from "./ids.ts";
import { isSet } from "./policy.ts";
import type { OperationDefinition } from "./policy.ts";
import { dayOf, readTimeZone, zoned } from "./schedule.ts";

/** An automatic backup, as far as its retention is concerned. */
export interface Retained {
  id: Id;
  resourceId: Id;
  /** `complete` = it can be restored; `failed` = it never came to be. Anything under way is not asked about. */
  state: "complete" | "failed";
  createdAt: TimestampUs;
}

type Rule = Pick<OperationDefinition, "maxBackups" | "dayBackups" | "weekBackups" | "monthBackups" | "yearBackups" | "timezone">;

/** Failed automatic backups that are kept of a resource; none longer than a month. */
export const failedKept = 10;

/**
 * Which automatic backups of one vault go under a policy's rule of counts; each resource by itself. The newest `maxBackups` stay and, besides
 * them, the newest of each of the last so many days, weeks (from Monday), months and years that have a backup at all: a pause in the backups
 * takes nothing away. Without `maxBackups` all stay. Backups made under a rule of days carry their own `expiredAt` and are not looked at here.
 */
export function expire(backups: readonly Retained[], rule: Rule): Id[] {
  if (!isSet(rule.maxBackups)) return [];
  const { maxBackups } = rule;
  return byResource(backups.filter(({ state }) => state === "complete")).flatMap((newestFirst) => {
    const kept = new Set(newestFirst.slice(0, maxBackups));
    for (const { count, keyOf } of periods(rule)) keepPeriods(newestFirst, count, keyOf, kept);
    return newestFirst.filter((backup) => !kept.has(backup)).map(({ id }) => id);
  });
}

/** Which failed automatic backups go: all but the newest ten of each resource, and those older than a month. */
export function expireFailed(backups: readonly Retained[], now: TimestampUs): Id[] {
  const oldest = zoned(now, null).subtract({ months: 1 }).epochMilliseconds * 1000;
  return byResource(backups.filter(({ state }) => state === "failed")).flatMap((newestFirst) =>
    newestFirst.filter(({ createdAt }, index) => index >= failedKept || createdAt < oldest).map(({ id }) => id),
  );
}

function byResource(backups: readonly Retained[]): Retained[][] {
  const groups = Map.groupBy(backups, ({ resourceId }) => resourceId);
  return [...groups.values()].map((group) => group.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)));
}

function periods(rule: Rule): { count: number; keyOf: (at: TimestampUs) => number }[] {
  const timezone = rule.timezone === null ? null : (readTimeZone(rule.timezone) ?? null);
  const day = (at: TimestampUs): number => dayOf(at, timezone);
  const all = [
    { count: rule.dayBackups, keyOf: day },
    // Day 0 was a Thursday.
    { count: rule.weekBackups, keyOf: (at: TimestampUs) => Math.floor((day(at) + 3) / 7) },
    { count: rule.monthBackups, keyOf: (at: TimestampUs) => zoned(at, timezone).year * 12 + zoned(at, timezone).month },
    { count: rule.yearBackups, keyOf: (at: TimestampUs) => zoned(at, timezone).year },
  ];
  return all.flatMap(({ count, keyOf }) => (isSet(count) ? [{ count, keyOf }] : []));
}

function keepPeriods(newestFirst: readonly Retained[], count: number, keyOf: (at: TimestampUs) => number, kept: Set<Retained>): void {
  const seen = new Set<number>();
  for (const backup of newestFirst) {
    const key = keyOf(backup.createdAt);
    if (seen.has(key)) continue;
    if (seen.size === count) return;
    seen.add(key);
    kept.add(backup);
  }
}
