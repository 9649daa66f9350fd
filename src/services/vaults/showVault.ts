import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { VaultView } from "../views.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function showVault(_context: Context, _caller: Caller, _input: { vaultId: Id }): Promise<VaultView> {
  throw new InvariantError("showVault is being written");
}
