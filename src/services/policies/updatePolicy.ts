import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Policy, PolicySchedule } from "#model/policy.ts";
import type { Context } from "../context.ts";
import { changePolicy } from "../support/change-policy.ts";
import { findPolicy } from "../support/find.ts";
import type { DefinitionInput } from "../support/policy-rules.ts";
import type { PolicyView } from "../views.ts";

export interface UpdatePolicyInput {
  policyId: Id;
  name?: string;
  enabled?: boolean;
  /** In place of the whole rule that was. */
  definition?: DefinitionInput;
  /** In place of all rules that were. */
  schedule?: PolicySchedule;
}

/**
 * Changes a policy; what is absent stays. A new schedule counts from now on.
 * @throws DomainError `policyNotFound`, `forbidden`, `invalidRequest`, `policyDestinationFrozen`
 */
export async function updatePolicy(context: Context, caller: Caller, input: UpdatePolicyInput): Promise<PolicyView> {
  return context.catalog.transaction(async (tables) => {
    const policy = await findPolicy(tables, caller, input.policyId);
    refuseOrganizations(policy);
    const changed = await changePolicy(context, tables, policy, input);
    return { policy: changed, vaults: await tables.policies.vaultsOf(policy.id) };
  });
}

/** What an organization gives to a project is not the project's to change. */
export function refuseOrganizations(policy: Policy): void {
  if (policy.policyType !== "organization_policy_v2") return;
  throw new DomainError("forbidden", `Policy ${policy.id} is managed by the organization.`);
}
