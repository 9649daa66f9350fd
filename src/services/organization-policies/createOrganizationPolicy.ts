import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { ProjectId } from "#model/ids.ts";
import type { OrganizationPolicy, PolicySchedule } from "#model/policy.ts";
import { checkSchedule } from "#model/schedule.ts";
import type { Context } from "../context.ts";
import { checkDescription, checkName } from "../support/checks.ts";
import { checkDefinition, checkOperation, maxPolicies } from "../support/policy-rules.ts";
import type { DefinitionInput } from "../support/policy-rules.ts";
import { checkScope, spread, viewOrganizationPolicy } from "./spread.ts";
import type { OrganizationPolicyView } from "./spread.ts";

export interface CreateOrganizationPolicyInput {
  name: string;
  description?: string | null;
  /** Ids of projects; null = all of the domain, also those to come. */
  scope: ProjectId[] | null;
  operationType: string;
  policyName: string;
  policyEnabled: boolean;
  definition: DefinitionInput;
  schedule: PolicySchedule;
}

/**
 * A policy for the projects of the caller's domain: each gets one of its own at once, which only the organization changes.
 * @throws DomainError `invalidRequest`, `policyTypeUnknown`, `tooManyPolicies`
 */
export async function createOrganizationPolicy(
  context: Context,
  caller: Caller,
  input: CreateOrganizationPolicyInput,
): Promise<OrganizationPolicyView> {
  const operationType = checkOperation(input.operationType, "operation_type");
  const createdAt = context.clock.nowUs();
  checkSchedule({ ...input.schedule, startedAt: createdAt }, "policy_trigger.properties");
  const definition = checkDefinition(input.definition, operationType, "policy_operation_definition");
  const [name, policyName] = [checkName(input.name, "name"), checkName(input.policyName, "policy_name")];
  const description = checkDescription(input.description, "description");
  const { domainId, userId } = caller;
  return context.catalog.transaction(async (tables) => {
    const { count } = await tables.organizationPolicies.list({ domainId, operationType }, { limit: 1, offset: 0 });
    if (count >= maxPolicies) throw new DomainError("tooManyPolicies", `The organization has ${maxPolicies} ${operationType} policies already.`);
    const policy: OrganizationPolicy = {
      id: context.random.uuid(),
      domainId,
      userId,
      name,
      description,
      scope: await checkScope(tables, domainId, input.scope),
      operationType,
      policyName,
      policyEnabled: input.policyEnabled,
      definition,
      schedule: input.schedule,
      createdAt,
      updatedAt: null,
    };
    await tables.organizationPolicies.insert(policy);
    await spread(context, tables, policy);
    return viewOrganizationPolicy(tables, policy);
  });
}
