import { Type, type Static } from "@sinclair/typebox";
import type { VaultFilter } from "#catalog/vault-table.ts";
import { DomainError } from "#model/errors.ts";
import { all, one, type Query } from "../query.ts";
import { enterpriseProjectSchema, idSchema, maybe, nameSchema, resourceSchema, tagSchema } from "./schemas.ts";

const consistentLevel = Type.Union([Type.Literal("crash_consistent"), Type.Literal("app_consistent")]);
const bindRules = Type.Object({ tags: maybe(Type.Array(tagSchema, { maxItems: 5 })) });
export const threshold = Type.Integer({ minimum: 1, maximum: 100 });
const size = Type.Integer({ minimum: 1, maximum: 10_485_760 });
export const createBody = Type.Object({
  vault: Type.Object({
    name: nameSchema,
    description: maybe(Type.String({ maxLength: 64, pattern: "^[^<>]*$" })),
    billing: Type.Object({
      size,
      object_type: Type.String({ maxLength: 32 }),
      protect_type: Type.String({ maxLength: 32 }),
      consistent_level: consistentLevel,
      cloud_type: maybe(Type.Union([Type.Literal("public"), Type.Literal("hybrid")])),
      charging_mode: maybe(Type.Union([Type.Literal("post_paid"), Type.Literal("pre_paid")])),
      is_multi_az: maybe(Type.Boolean()),
      is_auto_renew: maybe(Type.Boolean()),
      is_auto_pay: maybe(Type.Boolean()),
      console_url: maybe(Type.String({ maxLength: 255 })),
    }),
    resources: Type.Array(resourceSchema, { maxItems: 1000 }),
    tags: maybe(Type.Array(tagSchema, { maxItems: 20 })),
    auto_bind: maybe(Type.Boolean()),
    auto_expand: maybe(Type.Boolean()),
    bind_rules: maybe(bindRules),
    smn_notify: maybe(Type.Boolean()),
    threshold: maybe(threshold),
    locked: maybe(Type.Boolean()),
    enterprise_project_id: maybe(enterpriseProjectSchema),
    availability_zone: maybe(Type.String({ minLength: 1, maxLength: 32 })),
    backup_name_prefix: maybe(Type.String({ maxLength: 32, pattern: "^[\\u4E00-\\u9FA5\\uf900-\\ufa2da-zA-Z0-9_\\-]*$" })),
    backup_policy_id: maybe(idSchema),
  }),
});

export const updateBody = Type.Object({
  vault: Type.Object({
    name: maybe(nameSchema),
    billing: maybe(Type.Object({ size: maybe(size), consistent_level: maybe(consistentLevel) })),
    auto_bind: maybe(Type.Boolean()),
    bind_rules: maybe(bindRules),
    auto_expand: maybe(Type.Boolean()),
    smn_notify: maybe(Type.Boolean()),
    threshold: maybe(threshold),
    locked: maybe(Type.Boolean()),
  }),
});

export const readTags = (tags: readonly Static<typeof tagSchema>[]) => tags.map(({ key, value }) => ({ key, value: value ?? null }));
export const readBindRules = (rules: Static<typeof bindRules> | null | undefined) => rules && { tags: readTags(rules.tags ?? []) };
/** Leaves out the keys that are absent or null. */
export function given<T extends object>(values: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null)) as {
    [Key in keyof T]?: NonNullable<T[Key]>;
  };
}

export const objectTypes = ["server", "disk", "turbo", "vmware", "file"] as const;
export function readObjectType(word: string): (typeof objectTypes)[number] {
  const type = objectTypes.find((one) => one === word);
  if (type === undefined)
    throw new DomainError("invalidRequest", `vault.billing.object_type: must be one of ${objectTypes.join(", ")}`, {
      field: "vault.billing.object_type",
    });
  return type;
}

export function readProtectType(word: string): "backup" | "replication" {
  if (word === "backup" || word === "replication") return word;
  throw new DomainError("protectTypeUnsupported", "vault.billing.protect_type: must be backup or replication", {
    field: "vault.billing.protect_type",
  });
}

export function readFilter(query: Query): VaultFilter {
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
  const policyId = one(query, "policy_id");
  if (protectType !== undefined) filter.protectType = protectType;
  if (policyId !== undefined) filter.policyId = policyId;
  return filter;
}

/** The filter of vaults elsewhere, whose object type the published name misspells; undefined when it can match nothing. */
export function externalFilter(query: Query): VaultFilter | undefined {
  const objectType = one(query, "objcet_type") ?? one(query, "object_type");
  const known = objectTypes.find((type) => type === objectType);
  if (objectType !== undefined && known === undefined) return undefined;
  return given({ cloudType: one(query, "cloud_type"), protectType: one(query, "protect_type"), objectType: known });
}
