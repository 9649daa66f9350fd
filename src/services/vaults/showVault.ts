import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findVault } from "../support/find.ts";
import { viewVault } from "../support/protection.ts";
import type { VaultView } from "../views.ts";

/** @throws DomainError `vaultNotFound` */
export async function showVault(context: Context, caller: Caller, input: { vaultId: Id }): Promise<VaultView> {
  return viewVault(context.catalog, await findVault(context.catalog, caller, input.vaultId));
}
