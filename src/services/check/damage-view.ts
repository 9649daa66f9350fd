import type { BackupDamage } from "#repository/engine-types.ts";

const maxRanges = 1000;
const namedRanges = 8;

/** Why a damaged backup is not restored as it is, in sentences; names its first ranges. */
export function describeDamage({ backupId, ranges, lostBytes, reason }: BackupDamage): string {
  if (reason !== null) return `Backup ${backupId} is lost: ${reason}.`;
  const named = ranges.slice(0, namedRanges).map(({ offset, length }) => `${offset} to ${offset + length}`);
  const more = ranges.length > named.length ? ` and ${ranges.length - named.length} more ranges` : "";
  return `Backup ${backupId} has lost ${lostBytes} bytes: bytes ${named.join(", ")}${more}. allow_holes restores the rest.`;
}

/** A backup's damage as tasks and the API tell it; at most 1,000 of its ranges. */
export const renderDamage = ({ backupId, sizeBytes, lostBytes, ranges, reason }: BackupDamage) => ({
  backup_id: backupId,
  size_bytes: sizeBytes,
  lost_bytes: lostBytes,
  reason,
  range_count: ranges.length,
  ranges: ranges.slice(0, maxRanges),
});
