import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function deleteBackup(_context: Context, _caller: Caller, _input: { backupId: Id; refuseDependents?: boolean }): Promise<{ taskId: Id }> {
  throw new InvariantError("deleteBackup is being written");
}
