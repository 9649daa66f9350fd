import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Policy, PolicySchedule } from "#model/policy.ts";
import { checkSchedule } from "#model/schedule.ts";
import type { Context } from "../context.ts";
import { checkName } from "../support/checks.ts";
import { checkDefinition, checkOperation, maxPolicies } from "../support/policy-rules.ts";
import type { DefinitionInput } from "../support/policy-rules.ts";
import type { PolicyView } from "../views.ts";

export type { DefinitionInput } from "../support/policy-rules.ts";

export interface CreatePolicyInput {
  name: string;
  enabled?: boolean;
  operationType: string;
  definition: DefinitionInput;
  schedule: PolicySchedule;
}

/**
 * A new policy, applied to no vault yet.
 * @throws DomainError `invalidRequest`, `policyTypeUnknown`, `tooManyPolicies`
 */
export async function createPolicy(context: Context, caller: Caller, input: CreatePolicyInput): Promise<PolicyView> {
  const operationType = checkOperation(input.operationType, "operation_type");
  const createdAt = context.clock.nowUs();
  checkSchedule({ ...input.schedule, startedAt: createdAt }, "trigger.properties");
  const policy: Policy = {
    id: context.random.uuid(),
    projectId: caller.projectId,
    userId: caller.userId,
    name: checkName(input.name, "name"),
    enabled: input.enabled ?? true,
    operationType,
    definition: checkDefinition(input.definition, operationType, "operation_definition"),
    schedule: input.schedule,
    triggerId: context.random.uuid(),
    policyType: "custom_policy",
    organizationPolicyId: null,
    createdAt,
    updatedAt: null,
  };
  await context.catalog.transaction(async (tables) => {
    const own = (await tables.policies.list(caller.projectId, { operationType })).filter(({ policyType }) => policyType === "custom_policy");
    if (own.length >= maxPolicies) {
      throw new DomainError("tooManyPolicies", `The project has ${maxPolicies} ${operationType} policies already.`);
    }
    await tables.policies.insert(policy);
  });
  return { policy, vaults: [] };
}
