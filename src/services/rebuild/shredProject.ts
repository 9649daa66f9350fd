import type { Catalog, Tables } from "#catalog/tables.ts";
import type { ProjectId, TimestampUs } from "#model/ids.ts";
import { isKeptByLock, topLevelBackups } from "../support/doom.ts";

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

/** The vaults of a project whose lock keeps a backup at `now`: their names. While there is one, the project's key is not to be destroyed. */
export async function vaultsThatKeep(tables: Tables, projectId: ProjectId, now: TimestampUs): Promise<string[]> {
  const { items } = await tables.vaults.list(projectId, {}, { limit: 1_000_000, offset: 0 });
  const names: string[] = [];
  for (const vault of items.filter(({ locked }) => locked)) {
    const backups = await topLevelBackups(tables, projectId, vault.id);
    const kept = await Promise.all(backups.map((backup) => isKeptByLock(tables, backup, now)));
    if (kept.includes(true)) names.push(vault.name);
  }
  return names;
}
