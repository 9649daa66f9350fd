import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findVault } from "../support/find.ts";

/**
 * Takes a policy off a vault; what it has made stays.
 * @throws DomainError `vaultNotFound`, `policyNotApplied`
 */
export async function disassociateVaultPolicy(context: Context, caller: Caller, input: { vaultId: Id; policyId: Id }): Promise<void> {
  await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (await tables.policies.withdraw(vault.id, input.policyId)) return;
    throw new DomainError("policyNotApplied", `Policy ${input.policyId} is not applied to vault ${vault.id}.`, { field: "policy_id" });
  });
}
