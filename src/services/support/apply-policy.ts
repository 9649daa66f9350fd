import type { Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { scheduleOf } from "#model/policy.ts";
import type { Policy } from "#model/policy.ts";
import { nextRun } from "#model/schedule.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";

/** When a policy runs next over the vaults that it is applied to; null while it is disabled. */
export const nextDueOf = (context: Pick<Context, "clock">, policy: Policy): number | null =>
  policy.enabled ? nextRun(context.clock.nowUs(), scheduleOf(policy)) : null;

/**
 * Applies a policy to a vault in place of the one of the same operation; applying it again changes nothing but the destination.
 * @throws DomainError `policyNotApplicable`, `hybridVaultTakesNoPolicy`, `invalidRequest`, `destinationVaultMissing`, `vaultTakesNoReplicas`,
 * `destinationVaultUnknown`
 */
export async function applyPolicy(context: Context, tables: Tables, vault: Vault, policy: Policy, destinationVaultId: Id | null): Promise<void> {
  if (policy.operationType === "backup") {
    if (vault.cloudType === "hybrid")
      throw new DomainError("hybridVaultTakesNoPolicy", `Vault ${vault.id} is hybrid: no policy can be applied to it.`);
    if (vault.protectType !== "backup") {
      throw new DomainError("policyNotApplicable", `Vault ${vault.id} holds replicas: a backup policy cannot be applied to it.`);
    }
  } else {
    await checkDestinationVault(context, tables, vault, policy, destinationVaultId);
  }
  const before = (await tables.policies.ofVault(vault.id)).find(({ policyId }) => policyId === policy.id);
  await tables.policies.apply({
    vaultId: vault.id,
    policyId: policy.id,
    operationType: policy.operationType,
    destinationVaultId: policy.operationType === "backup" ? null : destinationVaultId,
    nextDueAt: before === undefined ? nextDueOf(context, policy) : before.nextDueAt,
    expiryDue: before?.expiryDue ?? false,
  });
}

const field = "destination_vault_id";

async function checkDestinationVault(context: Context, tables: Tables, vault: Vault, policy: Policy, destinationVaultId: Id | null): Promise<void> {
  if (destinationVaultId === null) throw new DomainError("invalidRequest", `${field}: a replication policy needs one`, { field });
  const { destinationProjectId, destinationRegion } = policy.definition;
  if (destinationRegion !== null && destinationRegion !== context.settings.region) {
    throw new DomainError("destinationVaultUnknown", `${field}: region ${destinationRegion} is not connected`, { field });
  }
  if (destinationProjectId !== null && destinationProjectId !== vault.projectId) {
    throw new DomainError("destinationVaultUnknown", `${field}: project ${destinationProjectId} takes no copies from here`, { field });
  }
  const target = await tables.vaults.get(vault.projectId, destinationVaultId);
  if (target === undefined) throw new DomainError("destinationVaultMissing", `${field}: there is no vault ${destinationVaultId}`, { field });
  if (target.protectType !== "replication" || target.objectType !== vault.objectType || target.id === vault.id) {
    throw new DomainError("vaultTakesNoReplicas", `${field}: vault ${target.id} does not take replicas of this vault's backups`, { field });
  }
}
