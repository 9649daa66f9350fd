import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { VaultResourceInput } from "./createVault.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function addVaultResources(_context: Context, _caller: Caller, _input: { vaultId: Id; resources: VaultResourceInput[] }): Promise<Id[]> {
  throw new InvariantError("addVaultResources is being written");
}
