import type { Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import type { OperationDefinition, Policy, PolicySchedule } from "#model/policy.ts";
import { checkSchedule } from "#model/schedule.ts";
import type { Context } from "../context.ts";
import { nextDueOf } from "./apply-policy.ts";
import { checkName } from "./checks.ts";
import { checkDefinition } from "./policy-rules.ts";
import type { DefinitionInput } from "./policy-rules.ts";

export interface PolicyChange {
  name?: string;
  enabled?: boolean;
  definition?: DefinitionInput;
  schedule?: PolicySchedule;
}

/**
 * Writes a change of a policy; where it changes when the policy runs, its next run is found anew. Tells the policy as it is then.
 * @throws DomainError `invalidRequest`, `policyDestinationFrozen`
 */
export async function changePolicy(context: Context, tables: Tables, policy: Policy, change: PolicyChange): Promise<Policy> {
  if (change.schedule !== undefined) checkSchedule({ ...change.schedule, startedAt: policy.createdAt }, "trigger.properties");
  const changed: Policy = {
    ...policy,
    name: change.name === undefined ? policy.name : checkName(change.name, "name"),
    enabled: change.enabled ?? policy.enabled,
    definition:
      change.definition === undefined ? policy.definition : checkDefinition(change.definition, policy.operationType, "operation_definition"),
    schedule: change.schedule ?? policy.schedule,
    updatedAt: context.clock.nowUs(),
  };
  if (!goesToTheSame(policy.definition, changed.definition) && (await tables.policies.vaultsOf(policy.id)).length > 0) {
    throw new DomainError(
      "policyDestinationFrozen",
      "operation_definition: the destination cannot be changed while the policy is applied to a vault",
      {
        field: "operation_definition",
      },
    );
  }
  await tables.policies.update(policy.id, changed);
  const runsOtherwise = changed.enabled !== policy.enabled || JSON.stringify(changed.schedule) !== JSON.stringify(policy.schedule);
  if (runsOtherwise) await tables.policies.setNextDue(policy.id, nextDueOf(context, changed));
  return changed;
}

const goesToTheSame = (before: OperationDefinition, after: OperationDefinition): boolean =>
  before.destinationRegion === after.destinationRegion && before.destinationProjectId === after.destinationProjectId;
