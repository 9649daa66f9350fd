import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { scheduleOf } from "#model/policy.ts";
import type { Policy } from "#model/policy.ts";
import { nextRun } from "#model/schedule.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { copiesThere } from "../replication/copyBackup.ts";
import type { Destination } from "../replication/copyBackup.ts";

/** When a policy runs next over the vaults that it is applied to; null while it is disabled. */
export const nextDueOf = (context: Pick<Context, "clock">, policy: Policy): number | null =>
  policy.enabled ? nextRun(context.clock.nowUs(), scheduleOf(policy)) : null;

/**
 * Applies a policy to a vault in place of the one of the same operation; applying it again changes nothing but the destination, which has been
 * looked at before ({@link examineDestinationOf}).
 * @throws DomainError `policyNotApplicable`, `hybridVaultTakesNoPolicy`
 */
export async function applyPolicy(context: Context, tables: Tables, vault: Vault, policy: Policy, destinationVaultId: Id | null): Promise<void> {
  if (policy.operationType === "backup" && vault.cloudType === "hybrid") {
    throw new DomainError("hybridVaultTakesNoPolicy", `Vault ${vault.id} is hybrid: no policy can be applied to it.`);
  }
  if (policy.operationType === "backup" && vault.protectType !== "backup") {
    throw new DomainError("policyNotApplicable", `Vault ${vault.id} holds replicas: a backup policy cannot be applied to it.`);
  }
  const before = (await tables.policies.ofVault(vault.id)).find(({ policyId }) => policyId === policy.id);
  await tables.policies.apply({
    vaultId: vault.id,
    policyId: policy.id,
    operationType: policy.operationType,
    destinationVaultId,
    nextDueAt: before === undefined ? nextDueOf(context, policy) : before.nextDueAt,
    expiryDue: before?.expiryDue ?? false,
  });
}

/** Where a replication policy copies to. */
export const destinationOf = (
  context: Pick<Context, "settings">,
  policy: Pick<Policy, "projectId" | "definition">,
  destinationVaultId: Id,
): Destination => ({
  destinationRegion: policy.definition.destinationRegion ?? context.settings.region,
  destinationProjectId: policy.definition.destinationProjectId ?? policy.projectId,
  destinationVaultId,
});

/** What becomes 6118: the destination could not be looked at, or does not let itself be. */
const notExamined: readonly string[] = ["regionNotReachable", "destinationUnreachable", "projectTakesNoReplicas"];

/**
 * Asks the destination of a replication policy whether it would take copies of a vault's backups; it may be another service, so that this is not
 * for a transaction.
 * @throws DomainError `invalidRequest`, `destinationVaultUnknown`, `destinationVaultMissing`, `vaultTakesNoReplicas`, `vaultTypeNotReplicable`,
 * `destinationVaultFull`
 */
export async function examineDestinationOf(context: Context, caller: Caller, vault: Vault, policy: Policy, vaultId: Id | null): Promise<void> {
  const field = "destination_vault_id";
  if (vaultId === null) throw new DomainError("invalidRequest", `${field}: a replication policy needs one`, { field });
  if (vaultId === vault.id) throw new DomainError("vaultTakesNoReplicas", `${field}: the vault cannot be copied to itself`, { field });
  try {
    await copiesThere(context, caller, vault, destinationOf(context, policy, vaultId), []);
  } catch (error) {
    if (!(error instanceof DomainError) || !notExamined.includes(error.code)) throw error;
    throw new DomainError("destinationVaultUnknown", error.message, { ...(error.field === undefined ? {} : { field: error.field }), cause: error });
  }
}
