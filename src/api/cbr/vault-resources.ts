import { type Static, Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { ResourceType } from "#model/resource.ts";
import { addVaultResources } from "#services/vaults/addVaultResources.ts";
import type { VaultResourceInput } from "#services/vaults/createVault.ts";
import { migrateVaultResources } from "#services/vaults/migrateVaultResources.ts";
import { removeVaultResources } from "#services/vaults/removeVaultResources.ts";
import { setVaultResources } from "#services/vaults/setVaultResources.ts";
import { defineRoute } from "../http/route.ts";
import { idSchema, paramsSchema, resourceSchema } from "./schemas.ts";

export const vaultParams = paramsSchema("project_id", "vault_id");
const resourceIds = Type.Array(idSchema, { minItems: 1, maxItems: 256 });

/** An unknown or malformed vault id is answered the same way. */
export function vaultIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["vault_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("vaultNotFound", `no vault ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

/** The wire's resources as the use cases take them; the type must be one that can be protected. */
export function readResources(resources: readonly Static<typeof resourceSchema>[], field: string): VaultResourceInput[] {
  return resources.map((resource, index) => {
    if (!Object.hasOwn(objectTypeOf, resource.type)) {
      throw new DomainError("vaultTypeMismatch", `${field}[${index}].type: must be one of ${Object.keys(objectTypeOf).join(", ")}`, {
        field: `${field}[${index}].type`,
      });
    }
    return {
      id: resource.id,
      type: resource.type as ResourceType,
      ...(resource.name ? { name: resource.name } : {}),
      ...(resource.extra_info?.exclude_volumes ? { excludeVolumes: resource.extra_info.exclude_volumes } : {}),
    };
  });
}

/** What a vault protects. */
export const vaultResourceRoutes = [
  defineRoute({
    method: "POST",
    path: "/vaults/:vault_id/addresources",
    operation: "AddVaultResource",
    action: "cbr:vaults:addResources",
    successStatus: 200,
    schema: { params: vaultParams, body: Type.Object({ resources: Type.Array(resourceSchema, { minItems: 1, maxItems: 1000 }) }) },
    async handler({ params, body }, caller, context) {
      const ids = await addVaultResources(context, caller, { vaultId: vaultIdOf(params), resources: readResources(body.resources, "resources") });
      return { body: { add_resource_ids: ids } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vaults/:vault_id/removeresources",
    operation: "RemoveVaultResource",
    action: "cbr:vaults:removeResources",
    successStatus: 200,
    schema: { params: vaultParams, body: Type.Object({ resource_ids: resourceIds }) },
    async handler({ params, body }, caller, context) {
      const ids = await removeVaultResources(context, caller, { vaultId: vaultIdOf(params), resourceIds: body.resource_ids });
      return { body: { remove_resource_ids: ids } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vaults/:vault_id/migrateresources",
    operation: "MigrateVaultResource",
    action: "cbr:vaults:migrateResources",
    successStatus: 200,
    schema: { params: vaultParams, body: Type.Object({ destination_vault_id: idSchema, resource_ids: resourceIds }) },
    async handler({ params, body }, caller, context) {
      const ids = await migrateVaultResources(context, caller, {
        vaultId: vaultIdOf(params),
        destinationVaultId: body.destination_vault_id,
        resourceIds: body.resource_ids,
      });
      return { body: { migrated_resources: ids } };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/vaults/:vault_id/set-resources",
    operation: "SetVaultResource",
    action: "cbr:vaults:setResources",
    successStatus: 200,
    schema: {
      params: vaultParams,
      body: Type.Object({
        resource_ids: resourceIds,
        action: Type.Union([Type.Literal("suspend"), Type.Literal("unsuspend")]),
      }),
    },
    async handler({ params, body }, caller, context) {
      const ids = await setVaultResources(context, caller, {
        vaultId: vaultIdOf(params),
        resourceIds: body.resource_ids,
        suspended: body.action === "suspend",
      });
      return { body: { set_resource_ids: ids } };
    },
  }),
];
