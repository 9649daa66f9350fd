import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import type { VaultFilter } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { ResourceType } from "#model/resource.ts";
import { addVaultResources } from "#services/vaults/addVaultResources.ts";
import { createVault, type VaultResourceInput } from "#services/vaults/createVault.ts";
import { deleteVault } from "#services/vaults/deleteVault.ts";
import { listVaults } from "#services/vaults/listVaults.ts";
import { removeVaultResources } from "#services/vaults/removeVaultResources.ts";
import { setVaultResources } from "#services/vaults/setVaultResources.ts";
import { showVault } from "#services/vaults/showVault.ts";
import { defineRoute } from "../http/route.ts";
import { all, one, page, type Query } from "../query.ts";
import { renderVault } from "./render-vault.ts";
import { enterpriseProjectSchema, idSchema, maybe, nameSchema, paramsSchema, querySchema, resourceSchema, tagSchema } from "./schemas.ts";

const createBody = Type.Object({
  vault: Type.Object({
    name: nameSchema,
    description: maybe(Type.String({ maxLength: 255, pattern: "^[^<>]*$" })),
    billing: Type.Object({
      size: Type.Integer({ minimum: 1, maximum: 10_485_760 }),
      object_type: Type.String({ maxLength: 32 }),
      protect_type: Type.Union([Type.Literal("backup"), Type.Literal("replication")]),
      consistent_level: Type.Union([Type.Literal("crash_consistent"), Type.Literal("app_consistent")]),
      cloud_type: maybe(Type.Union([Type.Literal("public"), Type.Literal("hybrid")])),
      charging_mode: maybe(Type.Union([Type.Literal("post_paid"), Type.Literal("pre_paid")])),
      is_multi_az: maybe(Type.Boolean()),
      is_auto_renew: maybe(Type.Boolean()),
      is_auto_pay: maybe(Type.Boolean()),
      console_url: maybe(Type.String({ maxLength: 255 })),
    }),
    resources: Type.Array(resourceSchema, { maxItems: 255 }),
    tags: maybe(Type.Array(tagSchema, { maxItems: 20 })),
    auto_bind: maybe(Type.Boolean()),
    auto_expand: maybe(Type.Boolean()),
    bind_rules: maybe(Type.Object({ tags: maybe(Type.Array(tagSchema, { maxItems: 5 })) })),
    smn_notify: maybe(Type.Boolean()),
    threshold: maybe(Type.Integer({ minimum: 1, maximum: 100 })),
    locked: maybe(Type.Boolean()),
    enterprise_project_id: maybe(enterpriseProjectSchema),
    availability_zone: maybe(Type.String({ minLength: 1, maxLength: 32 })),
    backup_name_prefix: maybe(Type.String({ maxLength: 32, pattern: "^[\\u4E00-\\u9FA5\\uf900-\\ufa2da-zA-Z0-9_\\-]*$" })),
    backup_policy_id: maybe(idSchema),
  }),
});

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

const readTags = (tags: readonly Static<typeof tagSchema>[]) => tags.map(({ key, value }) => ({ key, value: value ?? null }));
/** Leaves out the keys that are absent or null. */
function given<T extends object>(values: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null)) as {
    [Key in keyof T]?: NonNullable<T[Key]>;
  };
}

const objectTypes = ["server", "disk", "turbo"] as const;
function readObjectType(word: string): (typeof objectTypes)[number] {
  const type = objectTypes.find((one) => one === word);
  if (type === undefined)
    throw new DomainError("invalidRequest", `vault.billing.object_type: must be one of ${objectTypes.join(", ")}`, {
      field: "vault.billing.object_type",
    });
  return type;
}

/** An unknown or malformed vault id is answered the same way. */
export function vaultIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["vault_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("vaultNotFound", `no vault ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

function readFilter(query: Query): VaultFilter {
  const filter: VaultFilter = {};
  const name = one(query, "name");
  const ids = all(query, "id").flatMap((text) => text.split(","));
  const status = one(query, "status");
  const resourceIds = all(query, "resource_ids").flatMap((text) => text.split(","));
  const cloudType = one(query, "cloud_type");
  const protectType = one(query, "protect_type");
  if (name !== undefined) filter.name = name;
  if (ids.length > 0) filter.ids = ids;
  if (status !== undefined) filter.status = status;
  if (resourceIds.length > 0) filter.resourceIds = resourceIds;
  if (cloudType !== undefined) filter.cloudType = cloudType;
  if (protectType !== undefined) filter.protectType = protectType;
  return filter;
}

const vaultParams = paramsSchema("project_id", "vault_id");

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
      if (vault.backup_policy_id)
        throw new DomainError("invalidRequest", "vault.backup_policy_id: there is no such policy", { field: "vault.backup_policy_id" });
      const bindTags = vault.bind_rules?.tags;
      const view = await createVault(context, caller, {
        name: vault.name,
        description: vault.description ?? null,
        sizeGib: billing.size,
        objectType: readObjectType(billing.object_type),
        protectType: billing.protect_type,
        consistentLevel: billing.consistent_level,
        resources: readResources(vault.resources, "vault.resources"),
        ...given({
          cloudType: billing.cloud_type,
          chargingMode: billing.charging_mode,
          isMultiAz: billing.is_multi_az,
          enterpriseProjectId:
            vault.enterprise_project_id === undefined || vault.enterprise_project_id === null ? undefined : String(vault.enterprise_project_id),
          tags: vault.tags ? readTags(vault.tags) : undefined,
          bindRules: bindTags ? { tags: readTags(bindTags) } : undefined,
          autoBind: vault.auto_bind,
          autoExpand: vault.auto_expand,
          smnNotify: vault.smn_notify,
          threshold: vault.threshold,
          locked: vault.locked,
          availabilityZone: vault.availability_zone,
          backupNamePrefix: vault.backup_name_prefix,
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
      // No policy is bound to any vault, and no vault stores an object type that we do not know.
      if (one(query, "policy_id") !== undefined || (objectType !== undefined && known === undefined)) return nothing;
      const enterprise = one(query, "enterprise_project_id");
      const filter: VaultFilter = { ...readFilter(query), ...(known === undefined ? {} : { objectType: known }) };
      if (enterprise !== undefined && enterprise !== "all_granted_eps") {
        const every = await listVaults(context, caller, { filter, page: { limit: 1_000_000, offset: 0 } });
        filter.ids = every.items.filter(({ vault }) => vault.enterpriseProjectId === enterprise).map(({ vault }) => vault.id);
        if (filter.ids.length === 0) return nothing;
      }
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
  defineRoute({
    method: "POST",
    path: "/vaults/:vault_id/addresources",
    operation: "AddVaultResource",
    action: "cbr:vaults:addResources",
    successStatus: 200,
    schema: { params: vaultParams, body: Type.Object({ resources: Type.Array(resourceSchema, { minItems: 1, maxItems: 256 }) }) },
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
    schema: { params: vaultParams, body: Type.Object({ resource_ids: Type.Array(idSchema, { minItems: 1, maxItems: 256 }) }) },
    async handler({ params, body }, caller, context) {
      const ids = await removeVaultResources(context, caller, { vaultId: vaultIdOf(params), resourceIds: body.resource_ids });
      return { body: { remove_resource_ids: ids } };
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
        resource_ids: Type.Array(idSchema, { minItems: 1, maxItems: 256 }),
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
