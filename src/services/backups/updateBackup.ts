import type { BackupView } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { checkName } from "../support/checks.ts";
import { findBackup, findBackupView } from "../support/find.ts";

/** Gives a backup another name. @throws DomainError `backupNotFound`, `invalidRequest` */
export async function updateBackup(context: Context, caller: Caller, input: { backupId: Id; name: string }): Promise<BackupView> {
  const name = checkName(input.name, "backup.name");
  return context.catalog.transaction(async (tables) => {
    const { id, projectId } = await findBackup(tables, caller, input.backupId);
    await tables.backups.amend(projectId, id, { name, updatedAt: context.clock.nowUs() });
    return findBackupView(tables, caller, id);
  });
}
