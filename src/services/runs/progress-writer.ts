import type { Id, TimestampUs } from "#model/ids.ts";
import type { Context } from "../context.ts";

const betweenWritesUs = 500_000;

/** Keeps the `progress` of a disk backup's row up to date: at most twice a second, one write at a time, never 100 before the commit. */
export const progressWriter = (context: Context, backupId: Id) =>
  percentWriter(context, (progress) => context.catalog.backups.update(backupId, { progress }));

/** As {@link progressWriter}, to wherever `save` puts it. */
export function percentWriter(context: Context, save: (percent: number, now: TimestampUs) => Promise<void>) {
  let shown = 0;
  let lastUs = 0;
  let pending: Promise<void> = Promise.resolve();
  return {
    write(at: { bytesDone: number; bytesTotal: number | null }): void {
      if (at.bytesTotal === null || at.bytesTotal <= 0) return;
      const percent = Math.min(99, Math.floor((100 * at.bytesDone) / at.bytesTotal));
      const now = context.clock.nowUs();
      if (percent <= shown || now - lastUs < betweenWritesUs) return;
      shown = percent;
      lastUs = now;
      pending = pending
        .then(() => save(percent, now))
        .catch((error: unknown) => context.log.warn({ err: error }, "the progress of a backup could not be written"));
    },
    /** Resolves when no write is under way. */
    settled: (): Promise<void> => pending,
  };
}
