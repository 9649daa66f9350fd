import { DomainError } from "./errors.ts";
import type { TimestampUs } from "./ids.ts";

/** One schedule rule, read: at these minutes of the day, on these days. */
interface Rule {
  /** Minutes after midnight, rising. */
  minutes: readonly number[];
  /** Every so many days from the first one, or on these days of the week (0 = Monday). */
  days: { every: number } | { weekdays: ReadonlySet<number> };
}

/** When something runs: rules in a zone, counted from a first day. */
export interface Schedule {
  /** `FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=14;BYMINUTE=00` or `FREQ=DAILY;INTERVAL=2;BYHOUR=6;BYMINUTE=00`. */
  patterns: readonly string[];
  /** IANA name; null = UTC. */
  timezone: string | null;
  /** Rules of every so many days count from the day of this instant. */
  startedAt: TimestampUs;
}

const weekdays = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const maxPatterns = 24;
const minGapMinutes = 60;
const dayMinutes = 1440;

/**
 * Refuses what is not a schedule: 1 to 24 rules of the documented subset of RFC 5545, no two runs less than an hour apart.
 * @throws DomainError `invalidRequest` that names the field and the rule
 */
export function checkSchedule(schedule: Schedule, field: string): void {
  const { patterns, timezone, startedAt } = schedule;
  if (timezone !== null && !isTimeZoneName(timezone)) {
    throw refused(`${field}.timezone`, `${JSON.stringify(timezone)} is not the name of a time zone, such as Europe/Berlin`);
  }
  if (patterns.length < 1 || patterns.length > maxPatterns) throw refused(`${field}.pattern`, `must have 1 to ${maxPatterns} rules`);
  const rules = patterns.map((pattern, index) => readRule(pattern, `${field}.pattern[${index}]`));
  const first = dayOf(startedAt, timezone);
  for (const [index, rule] of rules.entries()) {
    const other = rules.slice(0, index + 1).findIndex((before) => meetTooSoon(before, rule, first) || meetTooSoon(rule, before, first));
    if (other !== -1) {
      const whom = other === index ? "its own runs" : `the runs of ${field}.pattern[${other}]`;
      throw refused(`${field}.pattern[${index}]`, `${whom} are less than an hour apart from each other`);
    }
  }
}

/** The first run strictly after an instant. A local time that a clock change skips runs as much later; one that comes twice runs the first time. */
export function nextRun(after: TimestampUs, schedule: Schedule): TimestampUs {
  const { patterns, timezone, startedAt } = schedule;
  const rules = patterns.map((pattern) => readRule(pattern, "pattern"));
  const first = dayOf(startedAt, timezone);
  // A clock change can move a run into the day after, so that one day more is looked at on either side.
  const from = Math.max(first, dayOf(after, timezone) - 1);
  let found = Infinity;
  for (let day = from, last = Infinity; day <= last; day++) {
    for (const rule of rules) {
      if (!runsOn(rule, day, first)) continue;
      for (const minute of rule.minutes) {
        const at = instantOf(day, minute, timezone);
        if (at > after && at < found) found = at;
      }
    }
    if (found !== Infinity && last === Infinity) last = day + 1;
  }
  return found;
}

const refused = (field: string, says: string): DomainError => new DomainError("invalidRequest", `${field}: ${says}`, { field });

function readRule(pattern: string, field: string): Rule {
  const parts = new Map<string, string>();
  for (const part of pattern.split(";")) {
    const [key, value, ...more] = part.split("=");
    if (key === undefined || value === undefined || value === "" || more.length > 0) {
      throw refused(field, `${JSON.stringify(part.slice(0, 64))} is not of the form KEY=VALUE`);
    }
    if (!["FREQ", "BYDAY", "BYHOUR", "BYMINUTE", "INTERVAL"].includes(key)) {
      throw refused(field, `${JSON.stringify(key.slice(0, 64))} is not one of FREQ, BYDAY, BYHOUR, BYMINUTE, INTERVAL`);
    }
    if (parts.has(key)) throw refused(field, `${key} is given twice`);
    parts.set(key, value);
  }
  const hours = numbers(parts.get("BYHOUR"), 0, 23, `${field}: BYHOUR`, field);
  const minutes = parts.has("BYMINUTE") ? numbers(parts.get("BYMINUTE"), 0, 59, `${field}: BYMINUTE`, field) : [0];
  const times = hours.flatMap((hour) => minutes.map((minute) => hour * 60 + minute)).toSorted((a, b) => a - b);
  return { minutes: times, days: readDays(parts, field) };
}

function readDays(parts: ReadonlyMap<string, string>, field: string): Rule["days"] {
  const interval = parts.has("INTERVAL") ? numbers(parts.get("INTERVAL"), 1, 30, `${field}: INTERVAL`, field) : [1];
  if (interval.length > 1) throw refused(field, "INTERVAL must be one number");
  const byDay = parts.get("BYDAY");
  switch (parts.get("FREQ")) {
    case "DAILY":
      if (byDay !== undefined) throw refused(field, "BYDAY goes with FREQ=WEEKLY only");
      return { every: interval[0]! };
    case "WEEKLY": {
      if (interval[0] !== 1) throw refused(field, "INTERVAL goes with FREQ=DAILY only");
      const days = (byDay ?? "").split(",").map((name) => weekdays.indexOf(name));
      if (days.includes(-1)) throw refused(field, `BYDAY must be a list of ${weekdays.join(", ")}`);
      return { weekdays: new Set(days) };
    }
    default:
      throw refused(field, "FREQ must be DAILY or WEEKLY");
  }
}

function numbers(list: string | undefined, minimum: number, maximum: number, what: string, field: string): number[] {
  const found = (list ?? "").split(",").map((text) => (/^\d{1,2}$/.test(text) ? Number(text) : -1));
  const bad = found.some((number) => number < minimum || number > maximum) || new Set(found).size < found.length;
  if (bad) throw new DomainError("invalidRequest", `${what} must be a number from ${minimum} to ${maximum}, or a list of them`, { field });
  return found;
}

/** Days are counted from 1970-01-01, a Thursday. */
const weekdayOf = (day: number): number => (((day + 3) % 7) + 7) % 7;

function runsOn({ days }: Rule, day: number, first: number): boolean {
  return "every" in days ? day >= first && (day - first) % days.every === 0 : days.weekdays.has(weekdayOf(day));
}

/** Whether a run of `b` follows one of `a` within the hour: on the same day, or after midnight. */
function meetTooSoon(a: Rule, b: Rule, first: number): boolean {
  const gaps = a.minutes.flatMap((from) => b.minutes.map((to) => to - from));
  const tooSoon = (gap: number): boolean => gap > 0 && gap < minGapMinutes;
  return (gaps.some(tooSoon) && shareDay(a, b, 0, first)) || (gaps.some((gap) => tooSoon(gap + dayMinutes)) && shareDay(a, b, 1, first));
}

/** Whether `b` ever runs `later` days after `a` does. After 30 × 29 days, and after 7 × 30, everything repeats. */
function shareDay(a: Rule, b: Rule, later: number, first: number): boolean {
  for (let day = first; day <= first + 30 * 30; day++) if (runsOn(a, day, first) && runsOn(b, day + later, first)) return true;
  return false;
}

const epoch = new Temporal.PlainDate(1970, 1, 1);

/** The local day of an instant, counted from 1970-01-01. */
export function dayOf(at: TimestampUs, timezone: string | null): number {
  const local = zoned(at, timezone).toPlainDate();
  return epoch.until(local, { largestUnit: "days" }).days;
}

/** An instant on the calendar of a zone; null = UTC. */
export const zoned = (at: TimestampUs, timezone: string | null): Temporal.ZonedDateTime =>
  new Temporal.ZonedDateTime(BigInt(Math.floor(at)) * 1000n, timezone ?? "UTC");

function instantOf(day: number, minute: number, timezone: string | null): TimestampUs {
  const time = new Temporal.PlainTime(Math.floor(minute / 60), minute % 60);
  const local = epoch.add({ days: day }).toPlainDateTime(time);
  return local.toZonedDateTime(timezone ?? "UTC", { disambiguation: "compatible" }).epochMilliseconds * 1000;
}

/** Whether a text is an IANA name that this machine knows: no bare offset. */
export function isTimeZoneName(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(text)) return false;
  try {
    return new Temporal.ZonedDateTime(0n, text).timeZoneId !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** `UTC±HH:MM` as Temporal knows it, or an IANA name as it is; undefined for anything else. */
export function readTimeZone(text: string): string | undefined {
  const offset = /^UTC([+-])(\d{2}):(\d{2})$/.exec(text);
  if (offset === null) return isTimeZoneName(text) ? text : undefined;
  const minutes = Number(offset[2]) * 60 + Number(offset[3]);
  const isPossible = Number(offset[3]) < 60 && (offset[1] === "+" ? minutes <= 14 * 60 : minutes <= 12 * 60);
  return isPossible ? `${offset[1]}${offset[2]}:${offset[3]}` : undefined;
}
