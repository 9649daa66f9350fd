import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function removeVaultResources(_context: Context, _caller: Caller, _input: { vaultId: Id; resourceIds: Id[] }): Promise<Id[]> {
  throw new InvariantError("removeVaultResources is being written");
}
