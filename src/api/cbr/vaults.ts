import type { VaultFilter } from "#catalog/vault-table.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { deleteVault } from "#services/vaults/deleteVault.ts";
import { listVaults } from "#services/vaults/listVaults.ts";
import { showVault } from "#services/vaults/showVault.ts";
import { updateVault } from "#services/vaults/updateVault.ts";
import { defineRoute } from "../http/route.ts";
import { one, page } from "../query.ts";
import { renderVault } from "./render-vault.ts";
import { paramsSchema, querySchema } from "./schemas.ts";
import { createBody, given, objectTypes, readBindRules, readFilter, readObjectType, readProtectType, readTags, updateBody } from "./vault-bodies.ts";
import { readResources, vaultIdOf, vaultParams } from "./vault-resources.ts";

export const vaultRoutes = [
  defineRoute({
    method: "POST",
    path: "/vaults",
    operation: "CreateVault",
    action: "cbr:vaults:create",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: createBody },
    async handler({ body }, caller, context) {
      const { vault } = body;
      const { billing } = vault;
      const view = await createVault(context, caller, {
        name: vault.name,
        description: vault.description ?? null,
        sizeGib: billing.size,
        objectType: readObjectType(billing.object_type),
        protectType: readProtectType(billing.protect_type),
        consistentLevel: billing.consistent_level,
        resources: readResources(vault.resources, "vault.resources"),
        ...given({
          cloudType: billing.cloud_type,
          chargingMode: billing.charging_mode,
          isMultiAz: billing.is_multi_az,
          enterpriseProjectId:
            vault.enterprise_project_id === undefined || vault.enterprise_project_id === null ? undefined : String(vault.enterprise_project_id),
          tags: vault.tags ? readTags(vault.tags) : undefined,
          bindRules: readBindRules(vault.bind_rules),
          autoBind: vault.auto_bind,
          autoExpand: vault.auto_expand,
          smnNotify: vault.smn_notify,
          threshold: vault.threshold,
          locked: vault.locked,
          availabilityZone: vault.availability_zone,
          backupNamePrefix: vault.backup_name_prefix,
          backupPolicyId: vault.backup_policy_id,
        }),
      });
      return { body: { vault: renderVault(view) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/vaults",
    operation: "ListVault",
    action: "cbr:vaults:list",
    successStatus: 200,
    schema: {
      params: paramsSchema("project_id"),
      querystring: querySchema([
        "limit",
        "offset",
        "marker",
        "name",
        "id",
        "status",
        "policy_id",
        "resource_ids",
        "cloud_type",
        "protect_type",
        "object_type",
        "enterprise_project_id",
      ]),
    },
    async handler({ query }, caller, context) {
      const wanted = page(query, { max: 1000 });
      const objectType = one(query, "object_type");
      const known = objectTypes.find((type) => type === objectType);
      const nothing = { body: { vaults: [], count: 0, limit: wanted.limit, offset: wanted.offset } };
      // No vault stores an object type that we do not know.
      if (objectType !== undefined && known === undefined) return nothing;
      const enterprise = one(query, "enterprise_project_id");
      const filter: VaultFilter = { ...readFilter(query), ...(known === undefined ? {} : { objectType: known }) };
      if (enterprise !== undefined && enterprise !== "all_granted_eps") filter.enterpriseProjectId = enterprise;
      const listed = await listVaults(context, caller, { filter, page: wanted });
      return { body: { vaults: listed.items.map(renderVault), count: listed.count, limit: wanted.limit, offset: wanted.offset } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/vaults/:vault_id",
    operation: "ShowVault",
    action: "cbr:vaults:get",
    successStatus: 200,
    schema: { params: vaultParams },
    async handler({ params }, caller, context) {
      return { body: { vault: renderVault(await showVault(context, caller, { vaultId: vaultIdOf(params) })) } };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/vaults/:vault_id",
    operation: "UpdateVault",
    action: "cbr:vaults:update",
    successStatus: 200,
    schema: { params: vaultParams, body: updateBody },
    async handler({ params, body: { vault } }, caller, context) {
      const view = await updateVault(context, caller, {
        vaultId: vaultIdOf(params),
        ...given({
          name: vault.name,
          sizeGib: vault.billing?.size,
          consistentLevel: vault.billing?.consistent_level,
          autoBind: vault.auto_bind,
          bindRules: readBindRules(vault.bind_rules),
          autoExpand: vault.auto_expand,
          smnNotify: vault.smn_notify,
          threshold: vault.threshold,
          locked: vault.locked,
        }),
      });
      return { body: { vault: renderVault(view) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/vaults/:vault_id",
    operation: "DeleteVault",
    action: "cbr:vaults:delete",
    successStatus: 204,
    schema: { params: vaultParams },
    async handler({ params }, caller, context) {
      await deleteVault(context, caller, { vaultId: vaultIdOf(params) });
      return {};
    },
  }),
];
