import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function deleteVault(_context: Context, _caller: Caller, _input: { vaultId: Id }): Promise<{ taskId: Id }> {
  throw new InvariantError("deleteVault is being written");
}
