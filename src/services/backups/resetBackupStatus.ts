import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findBackup } from "../support/find.ts";

/**
 * Puts the status of an idle backup by hand, as Cinder lets administrators: `error` takes it out of use, `available` brings back one whose
 * data is whole.
 * @throws DomainError `forbidden`, `backupNotFound`, `invalidRequest`; `backupRunning` while something works on it; `backupNotRestorable` for
 * `available` of one that has no data
 */
export async function resetBackupStatus(context: Context, caller: Caller, input: { backupId: Id; status: string }): Promise<void> {
  if (!caller.roles.includes("admin")) throw new DomainError("forbidden", "Only an administrator may set the status of a backup.");
  const { status } = input;
  if (status !== "available" && status !== "error") {
    throw new DomainError("invalidRequest", "os-reset_status.status: must be available or error", { field: "os-reset_status.status" });
  }
  await context.catalog.transaction(async (tables) => {
    const backup = await findBackup(tables, caller, input.backupId);
    const isIdle = backup.status === "available" || backup.status === "error";
    if (!isIdle || (await tables.tasks.openTasks({ backupId: backup.id })).length > 0) {
      throw new DomainError("backupRunning", `Backup ${backup.id} is ${backup.status}: something works on it.`);
    }
    if (status === "available" && backup.rootKey === null) {
      throw new DomainError("backupNotRestorable", `Backup ${backup.id} has no data: it can only be deleted.`);
    }
    await tables.backups.update(backup.id, { status, updatedAt: context.clock.nowUs() });
  });
}
