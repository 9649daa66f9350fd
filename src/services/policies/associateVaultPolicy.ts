import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { applyPolicy } from "../support/apply-policy.ts";
import { findPolicy, findVault } from "../support/find.ts";

export interface AssociateVaultPolicyInput {
  vaultId: Id;
  /** At most one of each operation. */
  policyIds: Id[];
  /** For the replication policy among them. */
  destinationVaultId?: Id | null;
}

/**
 * Applies policies to a vault: all of them or, when one is refused, none. Each takes the place of the one of its operation.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids`, `policyNotFound`, `invalidRequest`, and what {@link applyPolicy} throws
 */
export async function associateVaultPolicy(context: Context, caller: Caller, input: AssociateVaultPolicyInput): Promise<void> {
  const policyIds = [...new Set(input.policyIds)];
  if (policyIds.length === 0) throw new DomainError("invalidRequest", "policy_id: at least one policy is needed", { field: "policy_id" });
  await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (vault.status === "deleting") throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}.`);
    const policies = [];
    for (const policyId of policyIds) policies.push(await findPolicy(tables, caller, policyId));
    if (new Set(policies.map(({ operationType }) => operationType)).size < policies.length) {
      throw new DomainError("policyNotApplicable", "add_policy_ids: a vault has one policy of each operation", { field: "add_policy_ids" });
    }
    if (input.destinationVaultId && !policies.some(({ operationType }) => operationType === "replication")) {
      throw new DomainError("invalidRequest", "destination_vault_id: only a replication policy has a destination", { field: "destination_vault_id" });
    }
    for (const policy of policies) await applyPolicy(context, tables, vault, policy, input.destinationVaultId ?? null);
  });
}
