import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Policy } from "#model/policy.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { applyPolicy, examineDestinationOf } from "../support/apply-policy.ts";
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
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids`, `policyNotFound`, `invalidRequest`, and what {@link applyPolicy}
 * and {@link examineDestinationOf} throw
 */
export async function associateVaultPolicy(context: Context, caller: Caller, input: AssociateVaultPolicyInput): Promise<void> {
  const policyIds = [...new Set(input.policyIds)];
  if (policyIds.length === 0) throw new DomainError("invalidRequest", "policy_id: at least one policy is needed", { field: "policy_id" });
  const destinationVaultId = input.destinationVaultId ?? null;
  const found = await findAll(context.catalog, caller, input.vaultId, policyIds);
  const replication = found.policies.find(({ operationType }) => operationType === "replication");
  if (replication !== undefined) await examineDestinationOf(context, caller, found.vault, replication, destinationVaultId);
  else if (destinationVaultId !== null) {
    throw new DomainError("invalidRequest", "destination_vault_id: only a replication policy has a destination", { field: "destination_vault_id" });
  }
  await context.catalog.transaction(async (tables) => {
    const { vault, policies } = await findAll(tables, caller, input.vaultId, policyIds);
    for (const policy of policies) await applyPolicy(context, tables, vault, policy, policy.operationType === "backup" ? null : destinationVaultId);
  });
}

async function findAll(tables: Tables, caller: Caller, vaultId: Id, policyIds: readonly Id[]): Promise<{ vault: Vault; policies: Policy[] }> {
  const vault = await findVault(tables, caller, vaultId);
  if (vault.status === "deleting") throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}.`);
  const policies = [];
  for (const policyId of policyIds) policies.push(await findPolicy(tables, caller, policyId));
  if (new Set(policies.map(({ operationType }) => operationType)).size < policies.length) {
    throw new DomainError("policyNotApplicable", "add_policy_ids: a vault has one policy of each operation", { field: "add_policy_ids" });
  }
  return { vault, policies };
}
