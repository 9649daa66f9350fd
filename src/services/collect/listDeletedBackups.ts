import type { Caller } from "#model/caller.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Context } from "../context.ts";

/** Disk backups that were deleted and can be brought back, the newest deletion first. Times in microseconds. */
export async function listDeletedBackups(
  context: Context,
  caller: Caller,
): Promise<{ backupId: Id; deletedAt: TimestampUs; keptUntil: TimestampUs }[]> {
  const graceUs = context.settings.graceUs ?? 24 * 3600 * 1_000_000;
  const deleted = await context.engine.listDeleted(caller.projectId);
  return deleted
    .map(({ backupId, deletedAtUs }) => ({ backupId, deletedAt: deletedAtUs, keptUntil: deletedAtUs + graceUs }))
    .sort((a, b) => b.deletedAt - a.deletedAt);
}
