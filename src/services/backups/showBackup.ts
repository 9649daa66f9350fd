import type { BackupView } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findBackupView } from "../support/find.ts";
import { findReadableView } from "../support/shares.ts";

/** With `orShared` also a backup that another project shares with the caller's, which accepted it. @throws DomainError `backupNotFound` */
export async function showBackup(context: Context, caller: Caller, input: { backupId: Id; orShared?: boolean }): Promise<BackupView> {
  const find = input.orShared === true ? findReadableView : findBackupView;
  return find(context.catalog, caller, input.backupId);
}
