import { Type } from "@sinclair/typebox";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Context } from "#services/context.ts";
import { createSnapshot } from "#services/snapshots/createSnapshot.ts";
import { deleteSnapshot } from "#services/snapshots/deleteSnapshot.ts";
import { listSnapshots } from "#services/snapshots/listSnapshots.ts";
import { showSnapshot } from "#services/snapshots/showSnapshot.ts";
import { maybe, paramsSchema, querySchema } from "../cbr/schemas.ts";
import { flag, one } from "../query.ts";
import { readFlag } from "./backups.ts";
import { type BlockStorageRequest, blockStorageRoute, type Version } from "./block-storage.ts";
import { nextLink } from "./links.ts";
import { blockStoragePage } from "./lists.ts";
import { renderSnapshot } from "./render-volume.ts";
import { metadataSchema, wireBoolean } from "./schemas.ts";

const createBody = Type.Object({
  snapshot: Type.Object(
    {
      volume_id: Type.String({ maxLength: 64 }),
      name: maybe(Type.String({ maxLength: 255 })),
      description: maybe(Type.String({ maxLength: 255 })),
      force: maybe(wireBoolean),
      metadata: maybe(metadataSchema),
    },
    { additionalProperties: false },
  ),
});
const listQuery = querySchema(["limit", "marker", "offset", "with_count", "all_tenants", "name", "status", "volume_id"]);
const snapshotParams = paramsSchema("project_id", "snapshot_id");

function snapshotIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["snapshot_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("snapshotNotFound", `Snapshot ${id.slice(0, 64)} could not be found.`);
  return id;
}

export function snapshotRoutes(version: Version) {
  const family = version === "v2" ? "V2" : "V3";

  async function list(request: BlockStorageRequest<unknown>, caller: Caller, context: Context, extended: boolean) {
    const { query, minor, base } = request;
    const page = blockStoragePage(query);
    const name = one(query, "name");
    const status = one(query, "status");
    const volumeId = one(query, "volume_id");
    const everyProject = flag(query, "all_tenants") === true && caller.roles.includes("admin");
    const filter = {
      ...(name ? { name } : {}),
      ...(status ? { status } : {}),
      ...(volumeId ? { volumeId } : {}),
      ...(everyProject ? { allProjects: true } : {}),
    };
    const listed = page.limit === 0 ? { items: [], count: 0 } : await listSnapshots(context, caller, { filter, page });
    const last = listed.items.at(-1);
    const body: Record<string, unknown> = { snapshots: listed.items.map((snapshot) => renderSnapshot(snapshot, { extended, minor })) };
    if (one(query, "limit") !== undefined && last !== undefined && listed.items.length >= page.limit) {
      body["snapshots_links"] = [nextLink(base, caller.projectId, extended ? "snapshots/detail" : "snapshots", query, last.id)];
    }
    if (version === "v3" && minor >= 45 && flag(query, "with_count") === true) body["count"] = listed.count;
    return { body };
  }

  return [
    blockStorageRoute(version, {
      method: "POST",
      path: "/snapshots",
      operation: `CreateSnapshot${family}`,
      action: "volume:snapshots:create",
      successStatus: 202,
      schema: { params: paramsSchema("project_id"), body: createBody },
      async handler({ body, minor }, caller, context) {
        const { snapshot: asked } = body;
        if (!isUuid(asked.volume_id))
          throw new DomainError("volumeNotFound", `snapshot.volume_id: ${JSON.stringify(asked.volume_id)} could not be found`, {
            field: "snapshot.volume_id",
          });
        const snapshot = await createSnapshot(context, caller, {
          volumeId: asked.volume_id,
          name: asked.name ?? null,
          description: asked.description ?? null,
          force: readFlag(asked.force, "snapshot.force") ?? false,
          ...(asked.metadata ? { metadata: asked.metadata } : {}),
        });
        return { body: { snapshot: renderSnapshot(snapshot, { extended: false, minor }) } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/snapshots",
      operation: `ListSnapshots${family}`,
      action: "volume:snapshots:list",
      successStatus: 200,
      schema: { params: paramsSchema("project_id"), querystring: listQuery },
      handler: (request, caller, context) => list(request, caller, context, false),
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/snapshots/detail",
      operation: `ListSnapshotsDetail${family}`,
      action: "volume:snapshots:list",
      successStatus: 200,
      schema: { params: paramsSchema("project_id"), querystring: listQuery },
      handler: (request, caller, context) => list(request, caller, context, true),
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/snapshots/:snapshot_id",
      operation: `ShowSnapshot${family}`,
      action: "volume:snapshots:get",
      successStatus: 200,
      schema: { params: snapshotParams },
      async handler({ params, minor }, caller, context) {
        return {
          body: { snapshot: renderSnapshot(await showSnapshot(context, caller, { snapshotId: snapshotIdOf(params) }), { extended: true, minor }) },
        };
      },
    }),
    blockStorageRoute(version, {
      method: "DELETE",
      path: "/snapshots/:snapshot_id",
      operation: `DeleteSnapshot${family}`,
      action: "volume:snapshots:delete",
      successStatus: 202,
      schema: { params: snapshotParams },
      async handler({ params }, caller, context) {
        await deleteSnapshot(context, caller, { snapshotId: snapshotIdOf(params) });
        return {};
      },
    }),
  ];
}
