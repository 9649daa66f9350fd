import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { associateVaultPolicy } from "#services/policies/associateVaultPolicy.ts";
import { createPolicy } from "#services/policies/createPolicy.ts";
import { deletePolicy } from "#services/policies/deletePolicy.ts";
import { disassociateVaultPolicy } from "#services/policies/disassociateVaultPolicy.ts";
import { listPolicies } from "#services/policies/listPolicies.ts";
import { showPolicy } from "#services/policies/showPolicy.ts";
import { updatePolicy } from "#services/policies/updatePolicy.ts";
import { defineRoute } from "../http/route.ts";
import { one } from "../query.ts";
import { definitionSchema, readDefinition, readSchedule, triggerSchema } from "./policy-bodies.ts";
import { renderPolicy } from "./render-policy.ts";
import { idSchema, maybe, nameSchema, paramsSchema, querySchema } from "./schemas.ts";
import { vaultIdOf } from "./vault-resources.ts";

const createBody = Type.Object({
  policy: Type.Object({
    name: nameSchema,
    enabled: maybe(Type.Boolean()),
    operation_type: Type.String({ maxLength: 64 }),
    operation_definition: definitionSchema,
    trigger: triggerSchema,
  }),
});
const updateBody = Type.Object({
  policy: Type.Object({
    name: maybe(nameSchema),
    enabled: maybe(Type.Boolean()),
    operation_definition: maybe(definitionSchema),
    trigger: maybe(triggerSchema),
  }),
});
const associateBody = Type.Object({
  policy_id: maybe(idSchema),
  add_policy_ids: maybe(Type.Array(idSchema, { maxItems: 10 })),
  destination_vault_id: maybe(Type.String({ maxLength: 64 })),
});

/** An unknown or malformed policy id is answered the same way. */
function policyIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["policy_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("policyNotFound", `no policy ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

const policyParams = paramsSchema("project_id", "policy_id");
const vaultParams = paramsSchema("project_id", "vault_id");

export const policyRoutes = [
  defineRoute({
    method: "POST",
    path: "/policies",
    operation: "CreatePolicy",
    action: "cbr:policies:create",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: createBody },
    async handler({ body: { policy } }, caller, context) {
      const view = await createPolicy(context, caller, {
        name: policy.name,
        enabled: policy.enabled ?? true,
        operationType: policy.operation_type,
        definition: readDefinition(policy.operation_definition, "policy.operation_definition"),
        schedule: readSchedule(policy.trigger),
      });
      return { body: { policy: renderPolicy(view) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/policies",
    operation: "ListPolicies",
    action: "cbr:policies:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["operation_type", "vault_id"]) },
    async handler({ query }, caller, context) {
      const type = one(query, "operation_type");
      const vaultId = one(query, "vault_id");
      if (type !== undefined && type !== "backup" && type !== "replication") return { body: { policies: [], count: 0 } };
      const views = await listPolicies(context, caller, {
        ...(type === undefined ? {} : { operationType: type }),
        ...(vaultId === undefined ? {} : { vaultId }),
      });
      return { body: { policies: views.map(renderPolicy), count: views.length } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/policies/:policy_id",
    operation: "ShowPolicy",
    action: "cbr:policies:get",
    successStatus: 200,
    schema: { params: policyParams },
    async handler({ params }, caller, context) {
      return { body: { policy: renderPolicy(await showPolicy(context, caller, { policyId: policyIdOf(params) })) } };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/policies/:policy_id",
    operation: "UpdatePolicy",
    action: "cbr:policies:update",
    successStatus: 200,
    schema: { params: policyParams, body: updateBody },
    async handler({ params, body: { policy } }, caller, context) {
      const view = await updatePolicy(context, caller, {
        policyId: policyIdOf(params),
        ...(policy.name ? { name: policy.name } : {}),
        ...(typeof policy.enabled === "boolean" ? { enabled: policy.enabled } : {}),
        ...(policy.operation_definition ? { definition: readDefinition(policy.operation_definition, "policy.operation_definition") } : {}),
        ...(policy.trigger ? { schedule: readSchedule(policy.trigger) } : {}),
      });
      return { body: { policy: renderPolicy(view) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/policies/:policy_id",
    operation: "DeletePolicy",
    action: "cbr:policies:delete",
    successStatus: 204,
    schema: { params: policyParams },
    async handler({ params }, caller, context) {
      await deletePolicy(context, caller, { policyId: policyIdOf(params) });
      return {};
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vaults/:vault_id/associatepolicy",
    operation: "AssociateVaultPolicy",
    action: "cbr:vaults:associatePolicy",
    successStatus: 200,
    schema: { params: vaultParams, body: associateBody },
    async handler({ params, body }, caller, context) {
      const vaultId = vaultIdOf(params);
      const policyIds = [...(body.policy_id ? [body.policy_id] : []), ...(body.add_policy_ids ?? [])];
      const destinationVaultId = body.destination_vault_id ? body.destination_vault_id : null;
      await associateVaultPolicy(context, caller, { vaultId, policyIds, destinationVaultId });
      const destination = destinationVaultId === null ? {} : { destination_vault_id: destinationVaultId };
      return { body: { associate_policy: { vault_id: vaultId, policy_id: policyIds[0], ...destination } } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vaults/:vault_id/dissociatepolicy",
    operation: "DisassociateVaultPolicy",
    action: "cbr:vaults:dissociatePolicy",
    successStatus: 200,
    schema: { params: vaultParams, body: Type.Object({ policy_id: idSchema }) },
    async handler({ params, body }, caller, context) {
      const vaultId = vaultIdOf(params);
      await disassociateVaultPolicy(context, caller, { vaultId, policyId: body.policy_id });
      return { body: { dissociate_policy: { vault_id: vaultId, policy_id: body.policy_id } } };
    },
  }),
];
