import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function readBackupRange(_context: Context, _caller: Caller, _input: { backupId: Id; offset: number; length: number }): Promise<{ bytes: Uint8Array; sizeBytes: number }> {
  throw new InvariantError("readBackupRange is being written");
}
