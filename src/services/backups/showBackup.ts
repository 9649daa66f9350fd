import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { BackupView } from "#catalog/tables.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function showBackup(_context: Context, _caller: Caller, _input: { backupId: Id }): Promise<BackupView> {
  throw new InvariantError("showBackup is being written");
}
