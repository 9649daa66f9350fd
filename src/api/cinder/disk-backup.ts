import type { BackupView } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import type { Context } from "#services/context.ts";

/** An unknown or malformed backup id is answered the same way: clients that look for a name try it as an id first. */
function backupIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["backup_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("backupNotFound", `Backup ${id.slice(0, 64)} could not be found.`);
  return id;
}

/** A disk backup; every other kind is not to be seen here. */
export async function showDiskBackup(params: Readonly<Record<string, string>>, caller: Caller, context: Context): Promise<BackupView> {
  const backupId = backupIdOf(params);
  const view = await showBackup(context, caller, { backupId });
  if (view.backup.resourceType !== "OS::Cinder::Volume") throw new DomainError("backupNotFound", `Backup ${backupId} could not be found.`);
  return view;
}
