import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { findVault } from "../support/find.ts";

/** The tags of a vault, in the order of their making. @throws DomainError `vaultNotFound` */
export async function showVaultTag(context: Context, caller: Caller, input: { vaultId: Id }): Promise<Tag[]> {
  return (await findVault(context.catalog, caller, input.vaultId)).tags;
}
