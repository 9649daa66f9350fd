import { Type } from "@sinclair/typebox";
import type { ResourceFilter } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Server, Volume } from "#model/resource.ts";
import type { Context } from "#services/context.ts";
import { listResources } from "#services/resources/listResources.ts";
import { createVolume } from "#services/volumes/createVolume.ts";
import { deleteVolume } from "#services/volumes/deleteVolume.ts";
import { listVolumes } from "#services/volumes/listVolumes.ts";
import { showVolume } from "#services/volumes/showVolume.ts";
import { updateVolume } from "#services/volumes/updateVolume.ts";
import { maybe, paramsSchema, querySchema } from "../cbr/schemas.ts";
import { flag, one, type Query } from "../query.ts";
import { type BlockStorageRequest, blockStorageRoute, type Version } from "./block-storage.ts";
import { ownMetadata, readEncryption } from "./encryption.ts";
import { nextLink } from "./links.ts";
import { blockStoragePage, blockStorageSort, refuseUnknownFilters } from "./lists.ts";
import { renderVolume, renderVolumeSummary } from "./render-volume.ts";
import { metadataSchema, wireBoolean, wireInteger } from "./schemas.ts";
import { readFlag } from "./backups.ts";

const sortKeys = { created_at: "created_at", name: "name", status: "status", id: "id", size: "size" } as const;
const filterNames = ["name", "name~", "status", "availability_zone", "metadata", "bootable"];
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
  "name",
  "name~",
  "status",
  "availability_zone",
]);
export const volumeParams = paramsSchema("project_id", "volume_id");

const idText = Type.String({ maxLength: 64 });
const createBody = Type.Object({
  volume: Type.Object({
    size: maybe(wireInteger),
    name: maybe(Type.String({ maxLength: 255 })),
    description: maybe(Type.String({ maxLength: 255 })),
    volume_type: maybe(Type.String({ maxLength: 255 })),
    availability_zone: maybe(Type.String({ maxLength: 255 })),
    metadata: maybe(metadataSchema),
    /** As EVS takes them; not Cinder's. */
    tags: maybe(Type.Record(Type.String({ maxLength: 127 }), Type.String({ maxLength: 255 }))),
    snapshot_id: maybe(idText),
    source_volid: maybe(idText),
    backup_id: maybe(idText),
    /** Ours: what a damaged backup has lost becomes zeros. */
    allow_holes: maybe(wireBoolean),
    imageRef: maybe(idText),
    multiattach: maybe(wireBoolean),
    consistencygroup_id: maybe(idText),
    group_id: maybe(idText),
  }),
});

/** An unknown or malformed volume id is answered the same way. */
export function volumeIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["volume_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("volumeNotFound", `Volume ${id.slice(0, 64)} could not be found.`);
  return id;
}

/** The servers of the project by the volumes that are their disks; looked up only when some volume is attached. */
async function attachedServers(volumes: readonly Volume[], caller: Caller, context: Context): Promise<Map<string, Server[]>> {
  const byVolume = new Map<string, Server[]>();
  if (!volumes.some((volume) => volume.status === "in-use")) return byVolume;
  const servers = await listResources(context, caller, { filter: { type: "OS::Nova::Server" }, page: { limit: 1_000_000, offset: 0 } });
  for (const server of servers.items) {
    if (server.type !== "OS::Nova::Server") continue;
    for (const disk of server.disks) byVolume.set(disk.volumeId, [...(byVolume.get(disk.volumeId) ?? []), server]);
  }
  return byVolume;
}

function readFilter(query: Query, caller: Caller): Omit<ResourceFilter, "type"> {
  const filter: Omit<ResourceFilter, "type"> = {};
  const name = one(query, "name");
  const nameContains = one(query, "name~");
  const status = one(query, "status");
  const zone = one(query, "availability_zone");
  if (name !== undefined) filter.name = name;
  if (nameContains !== undefined) filter.nameContains = nameContains;
  if (status !== undefined) filter.status = status;
  if (zone !== undefined) filter.availabilityZone = zone;
  if (flag(query, "all_tenants") === true && caller.roles.includes("admin")) filter.allProjects = true;
  return filter;
}

/** A source of a new volume: an id that may be malformed, which is then unknown. */
function sourceId(
  value: string | null | undefined,
  kind: "snapshotNotFound" | "volumeNotFound" | "backupNotFound",
  field: string,
): string | undefined {
  if (!value) return undefined;
  if (!isUuid(value)) throw new DomainError(kind, `${field}: ${JSON.stringify(value)} could not be found`, { field });
  return value;
}

/** Renders a volume with what the request negotiated. */
export async function renderOne(
  volume: Volume,
  request: BlockStorageRequest<unknown>,
  caller: Caller,
  context: Context,
): Promise<Record<string, unknown>> {
  const servers = await attachedServers([volume], caller, context);
  const { base, minor, explicitVersion } = request;
  return renderVolume(volume, { base, minor, explicitVersion, isAdmin: false, servers: servers.get(volume.id) ?? [] });
}

export function volumeRoutes(version: Version) {
  const family = version === "v2" ? "V2" : "V3";

  async function list(request: BlockStorageRequest<unknown>, caller: Caller, context: Context, detail: boolean) {
    const { query, base, minor, explicitVersion } = request;
    if (version === "v3" && minor >= 31) refuseUnknownFilters(query, filterNames, caller);
    const page = blockStoragePage(query);
    const [sort] = blockStorageSort(query, sortKeys);
    const listed =
      page.limit === 0
        ? { items: [], count: 0 }
        : await listVolumes(context, caller, { filter: readFilter(query, caller), page, ...(sort ? { sort } : {}) });
    const servers = detail ? await attachedServers(listed.items, caller, context) : new Map<string, Server[]>();
    const isAdmin = caller.roles.includes("admin");
    const volumes = listed.items.map((volume) =>
      detail
        ? renderVolume(volume, { base, minor, explicitVersion, isAdmin, servers: servers.get(volume.id) ?? [] })
        : renderVolumeSummary(volume, base),
    );
    const last = listed.items.at(-1);
    const body: Record<string, unknown> = { volumes };
    if (one(query, "limit") !== undefined && last !== undefined && listed.items.length >= page.limit) {
      body["volumes_links"] = [nextLink(base, caller.projectId, detail ? "volumes/detail" : "volumes", query, last.id)];
    }
    if (version === "v3" && minor >= 45 && flag(query, "with_count") === true) body["count"] = listed.count;
    return { body };
  }

  return [
    blockStorageRoute(version, {
      method: "POST",
      path: "/volumes",
      operation: `CreateVolume${family}`,
      action: "volume:volumes:create",
      successStatus: 202,
      schema: { params: paramsSchema("project_id"), body: createBody },
      async handler(request, caller, context) {
        const { volume: asked } = request.body;
        for (const key of ["imageRef", "consistencygroup_id", "group_id"] as const) {
          if (asked[key]) throw new DomainError("invalidRequest", `volume.${key}: volumes are not made from this here`, { field: `volume.${key}` });
        }
        if (readFlag(asked.multiattach, "volume.multiattach") === true) {
          throw new DomainError("invalidRequest", "volume.multiattach: a volume is attached to one server at most", { field: "volume.multiattach" });
        }
        const { metadata, encryption } = readEncryption(asked.metadata ?? {});
        const snapshotId = sourceId(asked.snapshot_id, "snapshotNotFound", "volume.snapshot_id");
        const sourceVolumeId = sourceId(asked.source_volid, "volumeNotFound", "volume.source_volid");
        const backupId = sourceId(asked.backup_id, "backupNotFound", "volume.backup_id");
        const sources = [snapshotId, sourceVolumeId, backupId].filter((id) => id !== undefined);
        if (sources.length > 1)
          throw new DomainError("invalidRequest", "volume: snapshot_id, source_volid and backup_id exclude each other", {
            field: "volume.snapshot_id",
          });
        if (sources.length === 0 && !asked.size) throw new DomainError("invalidRequest", "volume.size: is required", { field: "volume.size" });
        const volume = await createVolume(context, caller, {
          name: asked.name ?? null,
          description: asked.description ?? null,
          metadata,
          encryption,
          ...(asked.size ? { sizeGib: Number(asked.size) } : {}),
          ...(asked.volume_type ? { volumeType: asked.volume_type } : {}),
          ...(asked.availability_zone ? { availabilityZone: asked.availability_zone } : {}),
          ...(snapshotId ? { snapshotId } : {}),
          ...(sourceVolumeId ? { sourceVolumeId } : {}),
          ...(backupId ? { backupId } : {}),
          ...(asked.tags ? { tags: Object.entries(asked.tags).map(([key, value]) => ({ key, value })) } : {}),
          allowHoles: readFlag(asked.allow_holes, "volume.allow_holes") ?? false,
        });
        return { body: { volume: await renderOne(volume, request, caller, context) } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/volumes",
      operation: `ListVolumes${family}`,
      action: "volume:volumes:list",
      successStatus: 200,
      schema: { params: paramsSchema("project_id"), querystring: listQuery },
      handler: (request, caller, context) => list(request, caller, context, false),
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/volumes/detail",
      operation: `ListVolumesDetail${family}`,
      action: "volume:volumes:list",
      successStatus: 200,
      schema: { params: paramsSchema("project_id"), querystring: listQuery },
      handler: (request, caller, context) => list(request, caller, context, true),
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/volumes/:volume_id",
      operation: `ShowVolume${family}`,
      action: "volume:volumes:get",
      successStatus: 200,
      schema: { params: volumeParams },
      async handler(request, caller, context) {
        const volume = await showVolume(context, caller, { volumeId: volumeIdOf(request.params) });
        const servers = await attachedServers([volume], caller, context);
        const { base, minor, explicitVersion } = request;
        const isAdmin = caller.roles.includes("admin");
        return { body: { volume: renderVolume(volume, { base, minor, explicitVersion, isAdmin, servers: servers.get(volume.id) ?? [] }) } };
      },
    }),
    blockStorageRoute(version, {
      method: "PUT",
      path: "/volumes/:volume_id",
      operation: `UpdateVolume${family}`,
      action: "volume:volumes:update",
      successStatus: 200,
      schema: {
        params: volumeParams,
        body: Type.Object({
          volume: Type.Object(
            { name: maybe(Type.String({ maxLength: 255 })), description: maybe(Type.String({ maxLength: 255 })), metadata: maybe(metadataSchema) },
            { additionalProperties: false },
          ),
        }),
      },
      async handler(request, caller, context) {
        const volumeId = volumeIdOf(request.params);
        const { name, description, metadata } = request.body.volume;
        const own = metadata ? ownMetadata(await showVolume(context, caller, { volumeId }), metadata) : undefined;
        const volume = await updateVolume(context, caller, {
          volumeId,
          ...(typeof name === "string" ? { name } : {}),
          ...(description === undefined ? {} : { description }),
          ...(own === undefined ? {} : { metadata: own }),
        });
        return { body: { volume: await renderOne(volume, request, caller, context) } };
      },
    }),
    blockStorageRoute(version, {
      method: "DELETE",
      path: "/volumes/:volume_id",
      operation: `DeleteVolume${family}`,
      action: "volume:volumes:delete",
      successStatus: 202,
      schema: { params: volumeParams, querystring: querySchema(["cascade", "force"]) },
      async handler(request, caller, context) {
        await deleteVolume(context, caller, { volumeId: volumeIdOf(request.params), cascade: flag(request.query, "cascade") ?? false });
        return {};
      },
    }),
  ];
}
