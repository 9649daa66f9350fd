import type { OrganizationPolicyView } from "#services/organization-policies/spread.ts";
import { renderDefinition, renderTrigger } from "./render-policy.ts";

/** An organization policy as CBR v3 shows it: `syncing` while a project in its scope has not got it yet. */
export const renderOrganizationPolicy = ({ policy, domainName, isComplete }: OrganizationPolicyView) => ({
  id: policy.id,
  name: policy.name,
  description: policy.description,
  domain_id: policy.domainId,
  domain_name: domainName,
  effective_scope: policy.scope === null ? "all" : policy.scope.join(","),
  operation_type: policy.operationType,
  policy_name: policy.policyName,
  policy_enabled: policy.policyEnabled,
  policy_operation_definition: renderDefinition(policy.definition),
  policy_trigger: renderTrigger({ schedule: policy.schedule, createdAt: policy.createdAt, triggerId: policy.id }),
  status: isComplete ? "available" : "syncing",
});
