import { Type } from "@sinclair/typebox";
import type { BackupFilter, BackupSortKey } from "#catalog/tables.ts";
import type { BackupStatus } from "#model/backup.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { memberStatuses } from "#model/member.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { ResourceType } from "#model/resource.ts";
import { deleteBackup } from "#services/backups/deleteBackup.ts";
import { listBackups } from "#services/backups/listBackups.ts";
import { restoreBackup } from "#services/backups/restoreBackup.ts";
import { showMetadata } from "#services/backups/showMetadata.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import { updateBackup } from "#services/backups/updateBackup.ts";
import { defineRoute } from "../http/route.ts";
import { all, flag, instant, integer, one, page, type Query, sorts } from "../query.ts";
import { renderBackup } from "./render-backup.ts";
import { renderMetadata } from "./render-metadata.ts";
import { idSchema, maybe, nameSchema, paramsSchema, querySchema } from "./schemas.ts";

const states = [
  "waiting_protect",
  "protecting",
  "available",
  "waiting_restore",
  "restoring",
  "waiting_delete",
  "deleting",
  "error",
] as const satisfies readonly BackupStatus[];

const ownTypes = { private: "private", shared: "shared", all_granted: "all" } as const;

const sortKeys: Readonly<Record<string, BackupSortKey>> = {
  created_at: "created_at",
  updated_at: "updated_at",
  name: "name",
  status: "status",
  protected_at: "protected_at",
  id: "id",
};

/** An unknown or malformed backup id is answered the same way: clients that look for a name try it as an id first. */
export function backupIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["backup_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("backupNotFound", `no backup ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

/** The filter of a list, or undefined when it can match nothing. Top-level backups only, unless a parent is named. */
function readFilter(query: Query): BackupFilter | undefined {
  const filter: BackupFilter = { parentId: one(query, "parent_id") ?? null };
  const texts = {
    checkpointId: "checkpoint_id",
    vaultId: "vault_id",
    resourceId: "resource_id",
    resourceName: "resource_name",
    resourceAz: "resource_az",
    name: "name",
    imageType: "image_type",
  } as const;
  for (const [key, name] of Object.entries(texts) as [keyof typeof texts, string][]) {
    const value = one(query, name);
    if (value !== undefined) filter[key] = value;
  }
  const resourceType = one(query, "resource_type");
  if (resourceType !== undefined) {
    if (!Object.hasOwn(objectTypeOf, resourceType)) return undefined;
    filter.resourceType = resourceType as ResourceType;
  }
  const words = all(query, "status").filter((word) => word !== "");
  if (words.length > 0) {
    filter.statuses = states.filter((state) => words.includes(state));
    if (filter.statuses.length === 0) return undefined;
  }
  const from = instant(query, "start_time");
  const to = instant(query, "end_time");
  const incremental = flag(query, "incremental");
  // Of no effect, as there is no dedicated cloud here; it still has to be a boolean.
  flag(query, "dec");
  if (from !== undefined) filter.createdFrom = from;
  if (to !== undefined) filter.createdTo = to;
  if (incremental !== undefined) filter.incremental = incremental;
  if (one(query, "used_percent") !== undefined) filter.vaultUsedPercent = integer(query, "used_percent", { min: 1, max: 100, default: 1 });
  const enterprise = one(query, "enterprise_project_id");
  if (enterprise !== undefined && enterprise !== "all_granted_eps") filter.enterpriseProjectId = enterprise;
  const own = one(query, "own_type") ?? "private";
  if (!Object.hasOwn(ownTypes, own)) return undefined;
  filter.own = ownTypes[own as keyof typeof ownTypes];
  const memberStatus = one(query, "member_status");
  if (memberStatus === undefined) return filter;
  const known = memberStatuses.find((status) => status === memberStatus);
  return known === undefined ? undefined : { ...filter, memberStatus: known };
}

const backupParams = paramsSchema("project_id", "backup_id");
const restoreBody = Type.Object({
  restore: Type.Object({
    server_id: maybe(idSchema),
    volume_id: maybe(idSchema),
    resource_id: maybe(idSchema),
    power_on: maybe(Type.Boolean()),
    mappings: maybe(Type.Array(Type.Object({ backup_id: idSchema, volume_id: idSchema }), { maxItems: 256 })),
    /** Ours: restore what can be read of a damaged backup. */
    allow_holes: maybe(Type.Boolean()),
    details: maybe(Type.Object({ destination_path: Type.String({ minLength: 1, maxLength: 255 }) })),
  }),
});

export const backupRoutes = [
  defineRoute({
    method: "GET",
    path: "/backups",
    operation: "ListBackups",
    action: "cbr:backups:list",
    successStatus: 200,
    schema: {
      params: paramsSchema("project_id"),
      querystring: querySchema([
        "limit",
        "offset",
        "marker",
        "sort",
        "checkpoint_id",
        "vault_id",
        "parent_id",
        "resource_id",
        "resource_name",
        "resource_az",
        "name",
        "image_type",
        "resource_type",
        "status",
        "own_type",
        "member_status",
        "used_percent",
        "start_time",
        "end_time",
        "enterprise_project_id",
        "dec",
        "show_replication",
        "incremental",
      ]),
    },
    async handler({ query }, caller, context) {
      const wanted = page(query, { max: 1000 });
      const sort = sorts(one(query, "sort"), "sort", sortKeys, "desc");
      const filter = readFilter(query);
      if (filter === undefined) return { body: { backups: [], count: 0, limit: wanted.limit, offset: wanted.offset } };
      const withReplications = flag(query, "show_replication") ?? false;
      const listed = await listBackups(context, caller, { filter, page: wanted, ...(sort.length > 0 ? { sort } : {}) });
      const backups = listed.items.map((view) => renderBackup(view, { withChildren: false, withReplications }));
      return { body: { backups, count: listed.count, limit: wanted.limit, offset: wanted.offset } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id",
    operation: "ShowBackup",
    action: "cbr:backups:get",
    successStatus: 200,
    schema: { params: backupParams },
    async handler({ params }, caller, context) {
      return { body: { backup: renderBackup(await showBackup(context, caller, { backupId: backupIdOf(params), orShared: true })) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id/metadata",
    operation: "ShowMetadata",
    action: "cbr:backups:get",
    successStatus: 200,
    schema: { params: backupParams },
    async handler({ params, baseUrl }, caller, context) {
      return { body: renderMetadata(await showMetadata(context, caller, { backupId: backupIdOf(params) }), baseUrl) };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/backups/:backup_id",
    operation: "UpdateBackup",
    action: "cbr:backups:update",
    successStatus: 200,
    schema: { params: backupParams, body: Type.Object({ backup: Type.Object({ name: nameSchema }) }) },
    async handler({ params, body }, caller, context) {
      const view = await updateBackup(context, caller, { backupId: backupIdOf(params), name: body.backup.name });
      return { body: { backup: renderBackup(view) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/backups/:backup_id",
    operation: "DeleteBackup",
    action: "cbr:backups:delete",
    successStatus: 204,
    schema: { params: backupParams },
    async handler({ params }, caller, context) {
      await deleteBackup(context, caller, { backupId: backupIdOf(params) });
      return {};
    },
  }),
  defineRoute({
    method: "POST",
    path: "/backups/:backup_id/restore",
    operation: "RestoreBackup",
    action: "cbr:backups:restore",
    successStatus: 202,
    schema: { params: backupParams, body: restoreBody },
    async handler({ params, body }, caller, context) {
      const { restore } = body;
      const backupId = backupIdOf(params);
      if (restore.details)
        throw new DomainError("invalidRequest", "restore.details: this kind of backup is restored whole, not by file", { field: "restore.details" });
      const { backup } = await showBackup(context, caller, { backupId, orShared: true });
      const isServer = backup.resourceType === "OS::Nova::Server";
      const target = isServer ? (restore.server_id ?? restore.resource_id) : (restore.volume_id ?? restore.resource_id);
      const field = isServer ? "restore.server_id" : "restore.volume_id";
      if (!target)
        throw new DomainError("invalidRequest", `${field}: is required to restore a backup of a ${isServer ? "server" : "disk"}`, { field });
      if (isServer && !restore.mappings)
        throw new DomainError("invalidRequest", "restore.mappings: is required to restore a backup of a server", { field: "restore.mappings" });
      const mappings = (restore.mappings ?? []).map((mapping) => ({ backupId: mapping.backup_id, volumeId: mapping.volume_id }));
      const result = await restoreBackup(context, caller, {
        backupId,
        allowHoles: restore.allow_holes ?? false,
        ...(isServer ? { serverId: target, mappings } : { volumeId: target }),
      });
      return { body: { job_id: result.taskId } };
    },
  }),
];
