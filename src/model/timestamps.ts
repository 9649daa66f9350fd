import type { TimestampUs } from "./ids.ts";

/** Dates of days since the epoch that were asked for lately: every document shows a few instants of the same days. */
const dates = new Map<number, string>();
const maxDates = 4096;
const twoDigits = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, "0"));

function dateOf(day: number): string {
  const known = dates.get(day);
  if (known !== undefined) return known;
  if (dates.size >= maxDates) dates.clear();
  const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
  dates.set(day, date);
  return date;
}

/**
 * `YYYY-MM-DDTHH:MM:SS.ffffff`, UTC without a zone: the only form that every CBR and Cinder client parses
 * (docs/compatibility/backup-resource.md, "Timestamps").
 */
export function naiveUtc(us: TimestampUs): string {
  const seconds = Math.floor(us / 1_000_000);
  const day = Math.floor(seconds / 86_400);
  const ofDay = seconds - day * 86_400;
  const [hour, minute, second] = [twoDigits[Math.floor(ofDay / 3600)], twoDigits[Math.floor(ofDay / 60) % 60], twoDigits[ofDay % 60]];
  return `${dateOf(day)}T${hour}:${minute}:${second}.${String(us - seconds * 1_000_000).padStart(6, "0")}`;
}

/** As {@link naiveUtc}, or null where there is no time to tell. */
export const naiveUtcOrNull = (us: TimestampUs | null): string | null => (us === null ? null : naiveUtc(us));

const form = /^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(?:Z|\+00:00)?$/;

/** Reads `YYYY-MM-DDTHH:MM:SS[.ffffff][Z|+00:00]` as UTC; undefined for anything else. */
export function parseUtc(text: string): TimestampUs | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const seconds = match[1]!.replace(" ", "T");
  const ms = Date.parse(`${seconds}Z`);
  // `Date.parse` takes a 30 February for a day in March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== seconds) return undefined;
  return ms * 1000 + Number((match[2] ?? "").padEnd(6, "0"));
}
