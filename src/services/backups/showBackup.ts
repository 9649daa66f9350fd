import type { BackupView } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findBackupView } from "../support/find.ts";

/** @throws DomainError `backupNotFound` */
export async function showBackup(context: Context, caller: Caller, input: { backupId: Id }): Promise<BackupView> {
  return findBackupView(context.catalog, caller, input.backupId);
}
