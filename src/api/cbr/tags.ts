import { type Static, Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { TagCondition } from "#model/tag-filter.ts";
import { batchCreateAndDeleteVaultTags } from "#services/tags/batchCreateAndDeleteVaultTags.ts";
import { createVaultTags } from "#services/tags/createVaultTags.ts";
import { deleteVaultTag } from "#services/tags/deleteVaultTag.ts";
import { showVaultProjectTag } from "#services/tags/showVaultProjectTag.ts";
import { showVaultResourceInstances } from "#services/tags/showVaultResourceInstances.ts";
import { showVaultTag } from "#services/tags/showVaultTag.ts";
import { defineRoute } from "../http/route.ts";
import { integer } from "../query.ts";
import { renderVault } from "./render-vault.ts";
import { maybe, paramsSchema, tagSchema } from "./schemas.ts";

/** Other than elsewhere, a malformed id is a bad request here: the published answer of these operations. */
function taggedVaultId(params: Readonly<Record<string, string>>): string {
  const id = params["vault_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("invalidRequest", "vault_id: is not a vault's id", { field: "vault_id" });
  return id;
}

/** What is to be removed need not be a tag that could be made. */
const looseTagSchema = Type.Object({ key: Type.String({ minLength: 1, maxLength: 127 }), value: maybe(Type.String({ maxLength: 255 })) });
const batchBody = Type.Object({
  action: Type.Union([Type.Literal("create"), Type.Literal("delete")]),
  tags: maybe(Type.Array(looseTagSchema, { maxItems: 100 })),
  sys_tags: maybe(Type.Array(Type.Unknown())),
});

const conditionSchema = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 127 }),
  values: maybe(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 20 })),
});
const conditionsSchema = maybe(Type.Array(conditionSchema, { maxItems: 20 }));
const pageText = maybe(Type.Union([Type.String({ maxLength: 16 }), Type.Integer()]));
const instancesBody = Type.Object({
  action: Type.Union([Type.Literal("filter"), Type.Literal("count")]),
  tags: conditionsSchema,
  tags_any: conditionsSchema,
  not_tags: conditionsSchema,
  not_tags_any: conditionsSchema,
  sys_tags: conditionsSchema,
  without_any_tag: maybe(Type.Boolean()),
  matches: maybe(Type.Array(Type.Object({ key: Type.Literal("resource_name"), value: Type.String({ maxLength: 255 }) }), { maxItems: 1 })),
  limit: pageText,
  offset: pageText,
  cloud_type: maybe(Type.Union([Type.Literal("public"), Type.Literal("hybrid")])),
  object_type: maybe(Type.String({ maxLength: 32 })),
});

type Conditions = Static<typeof conditionsSchema> | undefined;

/** The conditions of one list, whose keys must differ. */
function readConditions(conditions: Conditions, field: string): TagCondition[] {
  const read = (conditions ?? []).map(({ key, values }) => ({ key: key.trim(), values: values ?? [] }));
  if (new Set(read.map(({ key }) => key)).size < read.length) throw new DomainError("invalidRequest", `${field}: a key is given twice`, { field });
  for (const { values } of read)
    if (new Set(values).size < values.length) throw new DomainError("invalidRequest", `${field}: a value is given twice`, { field });
  return read;
}

/** The page of a filter; a count has none. */
function readPage(body: Static<typeof instancesBody>): { limit: number; offset: number } | undefined {
  if (body.action === "filter") {
    return {
      limit: integer(body, "limit", { min: 1, max: 1000, default: 1000 }),
      offset: integer(body, "offset", { min: 0, max: 2_147_483_647, default: 0 }),
    };
  }
  for (const field of ["limit", "offset"] as const)
    if (body[field] !== undefined && body[field] !== null) throw new DomainError("invalidRequest", `${field}: a count has no pages`, { field });
  return undefined;
}

const objectTypes = ["server", "disk", "turbo"] as const;
const vaultParams = paramsSchema("project_id", "vault_id");

export const tagRoutes = [
  defineRoute({
    method: "GET",
    path: "/vault/:vault_id/tags",
    operation: "ShowVaultTag",
    action: "cbr:vaults:getTags",
    successStatus: 200,
    schema: { params: vaultParams },
    async handler({ params }, caller, context) {
      return { body: { tags: await showVaultTag(context, caller, { vaultId: taggedVaultId(params) }) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vault/:vault_id/tags",
    operation: "CreateVaultTags",
    action: "cbr:vaults:setTags",
    successStatus: 204,
    schema: { params: vaultParams, body: Type.Object({ tag: tagSchema }) },
    async handler({ params, body: { tag } }, caller, context) {
      await createVaultTags(context, caller, { vaultId: taggedVaultId(params), tag: { key: tag.key, value: tag.value ?? null } });
      return {};
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/vault/:vault_id/tags/:key",
    operation: "DeleteVaultTag",
    action: "cbr:vaults:deleteTags",
    successStatus: 204,
    schema: { params: paramsSchema("project_id", "vault_id", "key") },
    async handler({ params }, caller, context) {
      await deleteVaultTag(context, caller, { vaultId: taggedVaultId(params), key: params["key"] ?? "" });
      return {};
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vault/:vault_id/tags/action",
    operation: "BatchCreateAndDeleteVaultTags",
    action: "cbr:vaults:bulkCreateOrDeleteTags",
    successStatus: 204,
    schema: { params: vaultParams, body: batchBody },
    async handler({ params, body }, caller, context) {
      const vaultId = taggedVaultId(params);
      if (body.sys_tags) throw new DomainError("invalidRequest", "sys_tags: only a cloud's own services set system tags", { field: "sys_tags" });
      const tags = (body.tags ?? []).map(({ key, value }) => ({ key, value: value ?? null }));
      await batchCreateAndDeleteVaultTags(context, caller, { vaultId, action: body.action, tags });
      return {};
    },
  }),
  defineRoute({
    method: "GET",
    path: "/vault/tags",
    operation: "ShowVaultProjectTag",
    action: "cbr:vaults:listProjectTags",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    async handler(_request, caller, context) {
      return { body: { tags: await showVaultProjectTag(context, caller) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vault/resource_instances/action",
    operation: "ShowVaultResourceInstances",
    action: "cbr:vaults:listResourceInstances",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: instancesBody },
    async handler({ body }, caller, context) {
      const page = readPage(body);
      const filter = {
        tags: readConditions(body.tags, "tags"),
        tagsAny: readConditions(body.tags_any, "tags_any"),
        notTags: readConditions(body.not_tags, "not_tags"),
        notTagsAny: readConditions(body.not_tags_any, "not_tags_any"),
        withoutAnyTag: body.without_any_tag ?? false,
        ...(body.matches?.[0] ? { nameContains: body.matches[0].value } : {}),
        ...(body.cloud_type ? { cloudType: body.cloud_type } : {}),
      };
      const objectType = objectTypes.find((type) => type === body.object_type);
      // No vault has a system tag, and none stores an object type that we do not know.
      const isVain = (body.sys_tags?.length ?? 0) > 0 || (!!body.object_type && objectType === undefined);
      const found = isVain
        ? { items: [], count: 0 }
        : await showVaultResourceInstances(context, caller, {
            filter: { ...filter, ...(objectType ? { objectType } : {}) },
            ...(page ? { page } : {}),
          });
      if (page === undefined) return { body: { total_count: found.count } };
      const resources = found.items.map((view) => ({
        resource_id: view.vault.id,
        resource_name: view.vault.name,
        resource_detail: { vault: renderVault(view) },
        tags: view.vault.tags,
        sys_tags: [],
      }));
      return { body: { resources, total_count: found.count } };
    },
  }),
];
