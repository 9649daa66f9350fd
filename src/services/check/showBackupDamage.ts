import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { BackupDamage } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { findBackup } from "../support/find.ts";

/** What is known to be lost of a backup, or of each disk inside a server backup; empty when nothing is. @throws DomainError `backupNotFound` */
export async function showBackupDamage(context: Context, caller: Caller, { backupId }: { backupId: Id }): Promise<BackupDamage[]> {
  const backup = await findBackup(context.catalog, caller, backupId);
  const disks = backup.resourceType === "OS::Nova::Server" ? await context.catalog.backups.children(backup.id) : [backup];
  const found: BackupDamage[] = [];
  for (const disk of disks) if (disk.rootKey !== null) found.push(...(await context.engine.damage(caller.projectId, disk.id)));
  return found;
}
