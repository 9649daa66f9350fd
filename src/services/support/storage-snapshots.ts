import { rm, stat } from "node:fs/promises";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { storageSnapshotPath } from "./paths.ts";

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Only the newest backup of a volume keeps its storage snapshot: drops those of all others (of `keepBackupId` not) and says so on their rows.
 * A snapshot of the user's own is not touched: it has no file of this kind.
 */
export async function dropStorageSnapshots(context: Context, projectId: ProjectId, volumeId: Id, keepBackupId?: Id): Promise<void> {
  const page = { limit: 1000, offset: 0 };
  const { items } = await context.catalog.backups.list(projectId, { resourceId: volumeId }, page);
  for (const { backup } of items) {
    if (backup.snapshotId === null || backup.id === keepBackupId) continue;
    const path = storageSnapshotPath(context.settings, backup, backup.snapshotId);
    if (!(await exists(path))) continue;
    await context.catalog.backups.update(backup.id, { snapshotId: null });
    await rm(path, { force: true });
  }
}
