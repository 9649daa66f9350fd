import { Type } from "@sinclair/typebox";
import { batchUpdateVaults } from "#services/vaults/batchUpdateVaults.ts";
import { listExternalVaults } from "#services/vaults/listExternalVaults.ts";
import { showVaultSummary } from "#services/vaults/showVaultSummary.ts";
import { defineRoute } from "../http/route.ts";
import { need, one, page } from "../query.ts";
import { renderVault, wireMb } from "./render-vault.ts";
import { maybe, paramsSchema, querySchema } from "./schemas.ts";
import { externalFilter, given, threshold } from "./vault-bodies.ts";

/** What concerns all vaults of a project, and those of others. */
export const vaultOverviewRoutes = [
  defineRoute({
    method: "GET",
    path: "/vaults/summary",
    operation: "ShowSummary",
    action: "cbr:vaults:getSummary",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    async handler(_request, caller, context) {
      const { sizeGib, usedBytes } = await showVaultSummary(context, caller);
      return { body: { size: sizeGib, used_size: wireMb(usedBytes) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/vaults/external",
    operation: "ListExternalVault",
    action: "cbr:vaults:listExternal",
    successStatus: 200,
    schema: {
      params: paramsSchema("project_id"),
      querystring: querySchema([
        "external_project_id",
        "region_id",
        "limit",
        "offset",
        "marker",
        "protect_type",
        "objcet_type",
        "object_type",
        "cloud_type",
        "vault_id",
      ]),
    },
    async handler({ query }, caller, context) {
      const wanted = page(query, { max: 1000 });
      const [projectId, region] = [need(query, "external_project_id"), need(query, "region_id")];
      const vaultId = one(query, "vault_id");
      const filter = vaultId === undefined ? externalFilter(query) : { ids: [vaultId] };
      const listed = await listExternalVaults(context, caller, { projectId, region, filter: filter ?? { ids: [] }, page: wanted });
      return { body: { vaults: listed.items.map(renderVault), count: listed.count, limit: wanted.limit, offset: wanted.offset } };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/vaults/batch-update",
    operation: "BatchUpdateVault",
    action: "cbr:vaults:batchUpdate",
    successStatus: 200,
    schema: {
      params: paramsSchema("project_id"),
      body: Type.Object({ vault: Type.Object({ smn_notify: maybe(Type.Boolean()), threshold: maybe(threshold) }) }),
    },
    async handler({ body }, caller, context) {
      const ids = await batchUpdateVaults(context, caller, given({ smnNotify: body.vault.smn_notify, threshold: body.vault.threshold }));
      return { body: { updated_vaults_id: ids } };
    },
  }),
];
