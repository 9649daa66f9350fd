import type { BackupFilter, BackupSortKey, BackupView, Listed, Page, Sort } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";

export interface ListBackupsInput {
  filter: BackupFilter;
  page: Page;
  sort?: Sort<BackupSortKey>[];
}

export async function listBackups(context: Context, caller: Caller, input: ListBackupsInput): Promise<Listed<BackupView>> {
  return context.catalog.backups.list(caller.projectId, withinReach(caller, input.filter), input.page, input.sort);
}
