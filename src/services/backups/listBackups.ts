import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { BackupView, BackupFilter, BackupSortKey, Page, Sort, Listed } from "#catalog/tables.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listBackups(_context: Context, _caller: Caller, _input: { filter: BackupFilter; page: Page; sort?: Sort<BackupSortKey>[] }): Promise<Listed<BackupView>> {
  throw new InvariantError("listBackups is being written");
}
