import type { TimestampUs } from "./ids.ts";

/**
 * `YYYY-MM-DDTHH:MM:SS.ffffff`, UTC without a zone: the only form that every CBR and Cinder client parses
 * (docs/compatibility/backup-resource.md, "Timestamps").
 */
export function naiveUtc(us: TimestampUs): string {
  const seconds = new Date(Math.floor(us / 1000)).toISOString().slice(0, 19);
  return `${seconds}.${String(us % 1_000_000).padStart(6, "0")}`;
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
