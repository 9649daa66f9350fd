import type { ChangeEntry, ChangeLog } from "./change-log.ts";
import { Granules } from "./granules.ts";
import type { Extent } from "./source.ts";

export type ChangeHistory = Pick<ChangeLog, "granuleBytes" | "entries">;

/** Ranges that may have been written since the freeze with this token, in whole granules; undefined when the log does not know it. */
export function changedSince(log: ChangeHistory, token: string): Extent[] | undefined {
  const since = log.entries.findIndex((entry) => entry.kind === "frozen" && entry.token === token);
  return since < 0 ? undefined : [...writtenIn(log.entries.slice(since), log.granuleBytes).extents()];
}

/** What the last freeze does not have. */
export function changedSinceLast(log: ChangeHistory): Granules {
  return writtenIn(log.entries.slice(log.entries.findLastIndex((entry) => entry.kind === "frozen")), log.granuleBytes);
}

/**
 * The same in at most `maxEntries` entries: of the last `keepFreezes` freezes only, ranges that touch joined, in granules as large as it takes. What
 * the file looked like is left out: whoever writes the log says it anew.
 */
export function condense(
  { entries, granuleBytes }: ChangeHistory,
  { keepFreezes, maxEntries }: { keepFreezes: number; maxEntries: number },
): ChangeHistory {
  const starts = entries.flatMap(({ kind }, at) => (kind === "frozen" ? [at] : [])).slice(-keepFreezes);
  const spans = starts.map((start, at) => entries.slice(start, starts[at + 1]));
  for (let granule = granuleBytes; ; granule *= 2) {
    const kept: ChangeEntry[] = spans.flatMap((span) => [
      span[0]!,
      ...writtenIn(span, granule)
        .extents()
        .map((extent) => ({ kind: "changed" as const, ...extent })),
    ]);
    // One entry and one range for each freeze is the least there can be.
    if (kept.length <= Math.max(maxEntries, 2 * spans.length)) return { granuleBytes: granule, entries: kept };
  }
}

function writtenIn(entries: readonly ChangeEntry[], granuleBytes: number): Granules {
  const written = new Granules(granuleBytes);
  for (const entry of entries) if (entry.kind === "changed") written.add(entry);
  return written;
}
