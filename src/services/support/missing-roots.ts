import type { ProjectId } from "#model/ids.ts";
import type { BackupDamage } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";

const pageSize = 1000;

/** Disk backups that the catalog calls available and that have no root object in the store. */
export async function missingRoots(context: Context, projectId: ProjectId): Promise<BackupDamage[]> {
  const { catalog, engine } = context;
  const roots = new Set(await engine.listRoots(projectId));
  const found: BackupDamage[] = [];
  for (let offset = 0; ; offset += pageSize) {
    const { items } = await catalog.backups.list(projectId, { statuses: ["available"] }, { limit: pageSize, offset });
    for (const { backup } of items) {
      if (backup.resourceType === "OS::Nova::Server" || roots.has(backup.id)) continue;
      // It may have been deleted since the list was made.
      const now = await catalog.backups.get(projectId, backup.id);
      if (now?.status !== "available" || (await engine.readRoot(projectId, backup.id).catch(() => undefined)) !== undefined) continue;
      found.push({ backupId: backup.id, sizeBytes: null, lostBytes: null, ranges: [], reason: "the root object is missing" });
    }
    if (items.length < pageSize) return found;
  }
}
