import type { Catalog } from "#catalog/tables.ts";
import type { ProjectId, TimestampUs } from "#model/ids.ts";

export const shreddedReason = "The project's key was destroyed: nothing can read this backup any more.";

/** Says on every backup of a project that it cannot be read any more. Tells how many there are. May be repeated. */
export async function shredProject(catalog: Catalog, projectId: ProjectId, now: TimestampUs): Promise<number> {
  return catalog.transaction(async (tables) => {
    let count = 0;
    for (;;) {
      const page = await tables.backups.list(projectId, {}, { limit: 1000, offset: count });
      for (const { backup } of page.items) await tables.backups.update(backup.id, { status: "error", failReason: shreddedReason, updatedAt: now });
      count += page.items.length;
      if (page.items.length === 0 || count >= page.count) return count;
    }
  });
}
