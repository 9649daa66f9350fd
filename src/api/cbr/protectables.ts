import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { ResourceType } from "#model/resource.ts";
import { listReplicationRegions } from "#services/features/listReplicationRegions.ts";
import { listProtectable } from "#services/protectables/listProtectable.ts";
import { showProtectable } from "#services/protectables/showProtectable.ts";
import { showStorageUsage } from "#services/usage/showStorageUsage.ts";
import { defineRoute } from "../http/route.ts";
import { one, page } from "../query.ts";
import { renderProtectable } from "./render-protectable.ts";
import { wireMb } from "./render-vault.ts";
import { paramsSchema, querySchema } from "./schemas.ts";

/** The published words for what can be protected, and what of it there is here. */
const resourceTypes: Readonly<Record<string, ResourceType | undefined>> = {
  server: "OS::Nova::Server",
  disk: "OS::Cinder::Volume",
  turbo: undefined,
  workspace: undefined,
  workspace_v2: undefined,
};

function readType(params: Readonly<Record<string, string>>, words: readonly string[]): ResourceType | undefined {
  const word = params["protectable_type"] ?? "";
  if (!words.includes(word))
    throw new DomainError("invalidRequest", `protectable_type: must be one of ${words.join(", ")}`, { field: "protectable_type" });
  return resourceTypes[word];
}

export const protectableRoutes = [
  defineRoute({
    method: "GET",
    path: "/protectables/:protectable_type/instances",
    operation: "ListProtectable",
    action: "cbr:vaults:listProtectables",
    successStatus: 200,
    schema: {
      params: paramsSchema("project_id", "protectable_type"),
      querystring: querySchema(["limit", "offset", "marker", "name", "status", "id", "server_id"]),
    },
    async handler({ params, query, baseUrl }, caller, context) {
      const type = readType(params, Object.keys(resourceTypes));
      const wanted = page(query, { max: 50 });
      if (type === undefined) return { body: { instances: [], count: 0 } };
      const texts = {
        name: one(query, "name"),
        status: one(query, "status")?.toLowerCase(),
        id: one(query, "id"),
        serverId: one(query, "server_id"),
      };
      const filter = { type, ...(Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)) as Record<string, string>) };
      const { items, count } = await listProtectable(context, caller, { filter, page: wanted });
      return { body: { instances: items.map((view) => renderProtectable(view, baseUrl)), count } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/protectables/:protectable_type/instances/:instance_id",
    operation: "ShowProtectable",
    action: "cbr:vaults:getProtectables",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "protectable_type", "instance_id") },
    async handler({ params, baseUrl }, caller, context) {
      const type = readType(params, ["server", "disk"])!;
      const id = params["instance_id"] ?? "";
      if (!isUuid(id)) throw new DomainError("resourceNotFound", `no resource ${JSON.stringify(id.slice(0, 64))}`);
      return { body: { instance: renderProtectable(await showProtectable(context, caller, { type, id }), baseUrl) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/replication-capabilities",
    operation: "ShowReplicationCapabilities",
    action: "cbr:backups:queryReplicationCapability",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    async handler(_request, _caller, context) {
      const { source, destinations } = listReplicationRegions(context);
      return { body: { regions: [{ name: source, replication_destinations: destinations }] } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/storage_usage",
    operation: "ShowStorageUsage",
    action: "cbr:usage:get",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["limit", "offset", "resource_id", "resource_type"]) },
    async handler({ query }, caller, context) {
      const resourceId = one(query, "resource_id");
      const resourceType = one(query, "resource_type");
      const filter = { ...(resourceId ? { resourceId } : {}), ...(resourceType ? { resourceType } : {}) };
      const { items, count } = await showStorageUsage(context, caller, { filter, page: page(query, { max: 1000 }) });
      const usage = items.map((each) => ({
        resource_id: each.resourceId,
        resource_name: each.resourceName,
        resource_type: each.resourceType,
        backup_count: each.backupCount,
        backup_size: wireMb(each.storedBytes),
        // Every backup is kept in one zone.
        backup_size_multiaz: 0,
      }));
      return { body: { storage_usage: usage, resource_count: count } };
    },
  }),
];
