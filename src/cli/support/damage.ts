import type { WireDamage } from "./wire.ts";

/** `backup ID: bytes 0 to 65536: reason`, a line for each range. */
export function damageLines(damaged: readonly WireDamage[]): string[] {
  return damaged.flatMap((backup) => {
    if (backup.reason !== null) return [`backup ${backup.backup_id}: all of it: ${backup.reason}`];
    const lines = backup.ranges.map(({ offset, length, reason }) => `backup ${backup.backup_id}: bytes ${offset} to ${offset + length}: ${reason}`);
    const more = backup.range_count - backup.ranges.length;
    return more > 0 ? [...lines, `backup ${backup.backup_id}: ${more} more ranges`] : lines;
  });
}
