import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { createOrganizationPolicy } from "#services/organization-policies/createOrganizationPolicy.ts";
import { deleteOrganizationPolicy } from "#services/organization-policies/deleteOrganizationPolicy.ts";
import { listOrganizationPolicies } from "#services/organization-policies/listOrganizationPolicies.ts";
import { listOrganizationPolicyDetail } from "#services/organization-policies/listOrganizationPolicyDetail.ts";
import { showOrganizationPolicy } from "#services/organization-policies/showOrganizationPolicy.ts";
import { updateOrganizationPolicy } from "#services/organization-policies/updateOrganizationPolicy.ts";
import { defineRoute } from "../http/route.ts";
import { one, page } from "../query.ts";
import { definitionSchema, readDefinition, readSchedule, triggerSchema } from "./policy-bodies.ts";
import { renderOrganizationPolicy } from "./render-organization-policy.ts";
import { descriptionSchema, maybe, nameSchema, paramsSchema, querySchema } from "./schemas.ts";

const scopeSchema = maybe(
  Type.String({ maxLength: 255, description: "Ids of projects of the domain, separated by commas; absent or empty: all, also those to come." }),
);
const createBody = Type.Object({
  policy: Type.Object({
    name: nameSchema,
    description: maybe(descriptionSchema),
    effective_scope: scopeSchema,
    operation_type: Type.String({ maxLength: 64 }),
    policy_name: nameSchema,
    policy_enabled: Type.Boolean(),
    policy_operation_definition: definitionSchema,
    policy_trigger: triggerSchema,
  }),
});
const updateBody = Type.Object({
  policy: Type.Object({
    name: maybe(nameSchema),
    description: maybe(descriptionSchema),
    effective_scope: scopeSchema,
    policy_name: maybe(nameSchema),
    policy_enabled: maybe(Type.Boolean()),
    policy_operation_definition: maybe(definitionSchema),
    policy_trigger: maybe(triggerSchema),
  }),
});

const readScope = (text: string | null | undefined): string[] | null => {
  const ids = (text ?? "").split(",").map((id) => id.trim());
  return ids.length === 1 && (ids[0] === "" || ids[0] === "all") ? null : ids;
};

/** An unknown or malformed id is answered the same way. */
function idOf(params: Readonly<Record<string, string>>): string {
  const id = params["organization_policy_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("policyNotFound", `no organization policy ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

const params = paramsSchema("project_id", "organization_policy_id");
const definitionField = "policy.policy_operation_definition";

/** They reach into every project of the domain: for administrators. */
export const organizationPolicyRoutes = [
  defineRoute({
    method: "POST",
    path: "/organization-policies",
    operation: "CreateOrganizationPolicy",
    action: "cbr:admin:createOrganizationPolicy",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: createBody },
    async handler({ body: { policy } }, caller, context) {
      const view = await createOrganizationPolicy(context, caller, {
        name: policy.name,
        description: policy.description ?? null,
        scope: readScope(policy.effective_scope),
        operationType: policy.operation_type,
        policyName: policy.policy_name,
        policyEnabled: policy.policy_enabled,
        definition: readDefinition(policy.policy_operation_definition, definitionField),
        schedule: readSchedule(policy.policy_trigger),
      });
      return { body: { policy: renderOrganizationPolicy(view) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/organization-policies",
    operation: "ListOrganizationPolicies",
    action: "cbr:admin:listOrganizationPolicies",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["operation_type", "limit", "offset"]) },
    async handler({ query }, caller, context) {
      const { limit, offset } = page(query, { max: 1000 });
      // Documented as needed; Terraform's import leaves it out.
      const word = one(query, "operation_type");
      const operationType = (["backup", "replication"] as const).find((known) => known === word);
      if (word !== operationType) return { body: { policies: [], count: 0, limit, offset } };
      const filter = operationType === undefined ? {} : { operationType };
      const { items, count } = await listOrganizationPolicies(context, caller, { ...filter, page: { limit, offset } });
      return { body: { policies: items.map(renderOrganizationPolicy), count, limit, offset } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/organization-policies/:organization_policy_id",
    operation: "ShowOrganizationPolicy",
    action: "cbr:admin:getOrganizationPolicy",
    successStatus: 200,
    schema: { params },
    async handler(request, caller, context) {
      return { body: { policy: renderOrganizationPolicy(await showOrganizationPolicy(context, caller, { id: idOf(request.params) })) } };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/organization-policies/:organization_policy_id",
    operation: "UpdateOrganizationPolicy",
    action: "cbr:admin:updateOrganizationPolicy",
    successStatus: 200,
    schema: { params, body: updateBody },
    async handler(request, caller, context) {
      const { policy } = request.body;
      const view = await updateOrganizationPolicy(context, caller, {
        id: idOf(request.params),
        ...(policy.name ? { name: policy.name } : {}),
        ...(typeof policy.description === "string" ? { description: policy.description } : {}),
        ...(typeof policy.effective_scope === "string" ? { scope: readScope(policy.effective_scope) } : {}),
        ...(policy.policy_name ? { policyName: policy.policy_name } : {}),
        ...(typeof policy.policy_enabled === "boolean" ? { policyEnabled: policy.policy_enabled } : {}),
        ...(policy.policy_operation_definition ? { definition: readDefinition(policy.policy_operation_definition, definitionField) } : {}),
        ...(policy.policy_trigger ? { schedule: readSchedule(policy.policy_trigger) } : {}),
      });
      return { body: { policy: renderOrganizationPolicy(view) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/organization-policies/:organization_policy_id",
    operation: "DeleteOrganizationPolicy",
    action: "cbr:admin:deleteOrganizationPolicy",
    successStatus: 204,
    schema: { params },
    async handler(request, caller, context) {
      await deleteOrganizationPolicy(context, caller, { id: idOf(request.params) });
      return {};
    },
  }),
  defineRoute({
    method: "GET",
    path: "/organization-policies/:organization_policy_id/policy-detail",
    operation: "ListOrganizationPolicyDetail",
    action: "cbr:admin:listOrganizationPolicyDetail",
    successStatus: 200,
    schema: { params, querystring: querySchema(["limit", "offset"]) },
    async handler(request, caller, context) {
      const { limit, offset } = page(request.query, { max: 1000 });
      const { items, count } = await listOrganizationPolicyDetail(context, caller, { id: idOf(request.params), page: { limit, offset } });
      const policies = items.map(({ id, projectId }) => ({ domain_id: caller.domainId, policy_id: id, project_id: projectId, status: "available" }));
      return { body: { policies, count, limit, offset } };
    },
  }),
];
