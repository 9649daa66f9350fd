import type { Caller } from "#model/caller.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { OrganizationPolicy, PolicySchedule } from "#model/policy.ts";
import { checkSchedule } from "#model/schedule.ts";
import type { Context } from "../context.ts";
import { changePolicy } from "../support/change-policy.ts";
import { checkDescription, checkName } from "../support/checks.ts";
import { checkDefinition } from "../support/policy-rules.ts";
import type { DefinitionInput } from "../support/policy-rules.ts";
import { checkScope, findOrganizationPolicy, spread, viewOrganizationPolicy } from "./spread.ts";
import type { OrganizationPolicyView } from "./spread.ts";

export interface UpdateOrganizationPolicyInput {
  id: Id;
  name?: string;
  description?: string;
  scope?: ProjectId[] | null;
  policyName?: string;
  policyEnabled?: boolean;
  definition?: DefinitionInput;
  schedule?: PolicySchedule;
}

/**
 * Changes an organization policy and the policies of all projects that have it; what is absent stays.
 * @throws DomainError `policyNotFound`, `invalidRequest`, `policyDestinationFrozen`
 */
export async function updateOrganizationPolicy(
  context: Context,
  caller: Caller,
  input: UpdateOrganizationPolicyInput,
): Promise<OrganizationPolicyView> {
  return context.catalog.transaction(async (tables) => {
    const before = await findOrganizationPolicy(tables, caller.domainId, input.id);
    if (input.schedule !== undefined) checkSchedule({ ...input.schedule, startedAt: before.createdAt }, "policy_trigger.properties");
    const changed: OrganizationPolicy = {
      ...before,
      name: input.name === undefined ? before.name : checkName(input.name, "name"),
      description: input.description === undefined ? before.description : checkDescription(input.description, "description"),
      scope: input.scope === undefined ? before.scope : await checkScope(tables, caller.domainId, input.scope),
      policyName: input.policyName === undefined ? before.policyName : checkName(input.policyName, "policy_name"),
      policyEnabled: input.policyEnabled ?? before.policyEnabled,
      definition:
        input.definition === undefined ? before.definition : checkDefinition(input.definition, before.operationType, "policy_operation_definition"),
      schedule: input.schedule ?? before.schedule,
      updatedAt: context.clock.nowUs(),
    };
    await tables.organizationPolicies.update(before.id, changed);
    const { policyName, policyEnabled, definition, schedule } = changed;
    for (const each of await tables.policies.ofOrganization(before.id)) {
      await changePolicy(context, tables, each, { name: policyName, enabled: policyEnabled, definition, schedule });
    }
    await spread(context, tables, changed);
    return viewOrganizationPolicy(tables, changed);
  });
}
