import { Type } from "@sinclair/typebox";
import type { BackupFilter, BackupSortKey, BackupView } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { deleteBackup } from "#services/backups/deleteBackup.ts";
import { listBackups } from "#services/backups/listBackups.ts";
import { restoreBackup } from "#services/backups/restoreBackup.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import type { Context } from "#services/context.ts";
import { maybe, nullable, paramsSchema, querySchema } from "../cbr/schemas.ts";
import { flag, one, type Query, readBoolean } from "../query.ts";
import { renderBackupV2 } from "../vbs/render-backup.ts";
import type { StoreFacts } from "../vbs/service-metadata.ts";
import { type BlockStorageOptions, type BlockStorageRequest, blockStorageRoute, type Version } from "./block-storage.ts";
import { showDiskBackup } from "./disk-backup.ts";
import { nextLink } from "./links.ts";
import { blockStoragePage, blockStorageSort, refuseUnknownFilters } from "./lists.ts";
import { renderBackupSummary, renderBackupV3, statusesOf } from "./render-backup.ts";
import { metadataSchema, wireBoolean } from "./schemas.ts";

const sortKeys: Readonly<Record<string, BackupSortKey>> = {
  created_at: "created_at",
  updated_at: "updated_at",
  name: "name",
  status: "status",
  id: "id",
  size: "size",
  volume_id: "resource_id",
  data_timestamp: "protected_at",
};
const filterNames = ["name", "status", "volume_id", "name~", "status~"];
const listQuery = querySchema([
  "limit",
  "marker",
  "offset",
  "sort",
  "sort_key",
  "sort_dir",
  "with_count",
  "all_tenants",
  "project_id",
  ...filterNames,
]);

/** The filter of a list, or undefined when it can match nothing. */
function readFilter(query: Query, caller: Caller): BackupFilter | undefined {
  const filter: BackupFilter = { resourceType: "OS::Cinder::Volume" };
  const name = one(query, "name");
  const nameContains = one(query, "name~");
  const volumeId = one(query, "volume_id");
  const status = one(query, "status");
  const statusContains = one(query, "status~");
  if (name !== undefined) filter.name = name;
  if (nameContains !== undefined) filter.nameContains = nameContains;
  if (volumeId !== undefined) filter.resourceId = volumeId;
  if (status !== undefined || statusContains !== undefined) {
    const words = ["creating", "available", "restoring", "deleting", "error"].filter(
      (word) => (status === undefined || word === status) && word.includes(statusContains ?? ""),
    );
    filter.statuses = words.flatMap(statusesOf);
    if (filter.statuses.length === 0) return undefined;
  }
  if (flag(query, "all_tenants") === true && caller.roles.includes("admin")) filter.allProjects = true;
  return filter;
}

const createKeys = {
  volume_id: Type.String({ pattern: "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$" }),
  snapshot_id: maybe(Type.String({ maxLength: 64 })),
  name: maybe(Type.String({ maxLength: 255 })),
  description: maybe(Type.String({ maxLength: 255 })),
  container: maybe(Type.String({ maxLength: 255 })),
  incremental: maybe(wireBoolean),
  force: maybe(wireBoolean),
  metadata: maybe(metadataSchema),
  availability_zone: maybe(Type.String({ maxLength: 255 })),
};
const strict = { additionalProperties: false };
const createBodies = {
  v3: Type.Object({ backup: Type.Object(createKeys, strict) }),
  v2: Type.Object({ backup: Type.Object({ ...createKeys, project_id: maybe(Type.String({ maxLength: 64 })) }, strict) }),
};
const restoreBody = Type.Object({
  restore: nullable(Type.Object({ volume_id: maybe(Type.String({ maxLength: 64 })), name: maybe(Type.String({ maxLength: 255 })) }, strict)),
});

/** A wire boolean, null meaning absent. */
export function readFlag(value: unknown, field: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  const read = readBoolean(value);
  if (read === undefined) throw new DomainError("invalidRequest", `${field}: must be true or false`, { field });
  return read;
}

/** Routes of disk backups: the same for both versions but for the renderings and what each version's clients may send. */
export function backupRoutes(version: Version, options: BlockStorageOptions) {
  const family = version === "v2" ? "V2" : "V3";

  async function render(
    view: BackupView,
    request: BlockStorageRequest<unknown>,
    caller: Caller,
    context: Context,
    servers: Map<string, string | null>,
  ) {
    if (version === "v3") return renderBackupV3(view, request.base, request);
    const { parentId } = view.backup;
    if (parentId !== null && !servers.has(parentId)) servers.set(parentId, await serverOf(parentId, caller, context));
    const serverId = parentId === null ? null : (servers.get(parentId) ?? null);
    return renderBackupV2(view, request.base, { store: unitOf(context), typeReading: options.serviceMetadataType, serverId });
  }

  async function list(request: BlockStorageRequest<unknown>, caller: Caller, context: Context, detail: boolean) {
    const { query, base, minor } = request;
    if (version === "v3" && minor >= 31) refuseUnknownFilters(query, filterNames, caller);
    const page = blockStoragePage(query);
    const sort = blockStorageSort(query, sortKeys);
    const filter = readFilter(query, caller);
    const empty = filter === undefined || page.limit === 0;
    const listed = empty ? { items: [], count: 0 } : await listBackups(context, caller, { filter, page, sort });
    const servers = new Map<string, string | null>();
    const backups: object[] = [];
    for (const view of listed.items) backups.push(detail ? await render(view, request, caller, context, servers) : renderBackupSummary(view, base));
    const last = listed.items.at(-1);
    const body: Record<string, unknown> = { backups };
    if (one(query, "limit") !== undefined && last !== undefined && listed.items.length >= page.limit) {
      body["backups_links"] = [nextLink(base, caller.projectId, detail ? "backups/detail" : "backups", query, last.backup.id)];
    }
    if (version === "v3" && minor >= 45 && flag(query, "with_count") === true) body["count"] = listed.count;
    return { body };
  }

  return [
    blockStorageRoute(version, {
      method: "POST",
      path: "/backups",
      operation: `CreateBackup${family}`,
      action: "volume:backups:create",
      successStatus: 202,
      schema: { params: paramsSchema("project_id"), body: createBodies[version] },
      async handler(request, caller, context) {
        const { backup: asked } = request.body;
        if (asked.metadata && version === "v3" && request.minor < 43) {
          throw new DomainError("invalidRequest", "backup.metadata: needs microversion 3.43", { field: "backup.metadata" });
        }
        if (asked.availability_zone && asked.availability_zone !== context.settings.zone) {
          throw new DomainError("invalidRequest", `backup.availability_zone: no backup service in ${JSON.stringify(asked.availability_zone)}`, {
            field: "backup.availability_zone",
          });
        }
        const incremental = readFlag(asked.incremental, "backup.incremental");
        const view = await createVolumeBackup(context, caller, {
          volumeId: asked.volume_id.toLowerCase(),
          name: asked.name ?? null,
          description: asked.description ?? null,
          incremental: incremental ?? (version === "v2" ? "auto" : false),
          force: readFlag(asked.force, "backup.force") ?? false,
          ...(asked.snapshot_id ? { snapshotId: asked.snapshot_id } : {}),
          ...(asked.metadata ? { metadata: asked.metadata } : {}),
        });
        const summary = renderBackupSummary(view, request.base);
        return { body: { backup: request.minor >= 43 ? { ...summary, metadata: view.backup.metadata } : summary } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/backups",
      operation: `ListBackups${family}`,
      action: "volume:backups:list",
      successStatus: 200,
      schema: { params: paramsSchema("project_id"), querystring: listQuery },
      handler: (request, caller, context) => list(request, caller, context, false),
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/backups/detail",
      operation: `ListBackupsDetail${family}`,
      action: "volume:backups:list",
      successStatus: 200,
      schema: { params: paramsSchema("project_id"), querystring: listQuery },
      handler: (request, caller, context) => list(request, caller, context, true),
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/backups/:backup_id",
      operation: `ShowBackup${family}`,
      action: "volume:backups:get",
      successStatus: 200,
      schema: { params: paramsSchema("project_id", "backup_id") },
      async handler(request, caller, context) {
        const view = await showDiskBackup(request.params, caller, context);
        return { body: { backup: await render(view, request, caller, context, new Map()) } };
      },
    }),
    blockStorageRoute(version, {
      method: "DELETE",
      path: "/backups/:backup_id",
      operation: `DeleteBackup${family}`,
      action: "volume:backups:delete",
      successStatus: 202,
      schema: { params: paramsSchema("project_id", "backup_id") },
      async handler(request, caller, context) {
        const { backup } = await showDiskBackup(request.params, caller, context);
        if (backup.parentId !== null) throw new DomainError("backupNotDeletable", `Backup ${backup.id} is part of a server backup: delete that.`);
        await deleteBackup(context, caller, { backupId: backup.id, refuseDependents: options.refuseDependentDeletes });
        return {};
      },
    }),
    blockStorageRoute(version, {
      method: "POST",
      path: "/backups/:backup_id/restore",
      operation: `RestoreBackup${family}`,
      action: "volume:backups:restore",
      successStatus: 202,
      schema: { params: paramsSchema("project_id", "backup_id"), body: restoreBody },
      async handler(request, caller, context) {
        const { backup } = await showDiskBackup(request.params, caller, context);
        const { volume_id: volumeId, name } = request.body.restore ?? {};
        const result = await restoreBackup(context, caller, {
          backupId: backup.id,
          ...(volumeId ? { volumeId } : {}),
          ...(name ? { newVolumeName: name } : {}),
        });
        return { body: { restore: { backup_id: result.backupId, volume_id: result.volumeId, volume_name: result.volumeName ?? "" } } };
      },
    }),
  ];
}

/** The storage unit: what the store calls itself, and which repository in it. No path of the host is told. */
function unitOf({ engine }: Context): StoreFacts {
  return { kind: engine.store.kind, location: `${engine.store.location}/${engine.repositoryId}` };
}

/** The server whose backup encloses a disk backup; null when that backup is gone. */
async function serverOf(parentId: string, caller: Caller, context: Context): Promise<string | null> {
  try {
    return (await showBackup(context, caller, { backupId: parentId })).backup.resourceId;
  } catch (error) {
    if (error instanceof DomainError && error.code === "backupNotFound") return null;
    throw error;
  }
}
