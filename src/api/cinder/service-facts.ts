import { DomainError } from "#model/errors.ts";
import { naiveUtc } from "#model/timestamps.ts";
import { paramsSchema, querySchema } from "../cbr/schemas.ts";
import { flag } from "../query.ts";
import { blockStorageRoute, type Version } from "./block-storage.ts";
import { countProject } from "./count-project.ts";

/** The one type that volumes have unless they name another: nothing of the storage depends on it. */
export const defaultVolumeType = { id: "2f6f7f0c-5d0c-4d0e-9c59-6d7a6a3c5a01", name: "standard" };

const renderedType = {
  ...defaultVolumeType,
  description: "Sparse files on the node's own storage",
  is_public: true,
  "os-volume-type-access:is_public": true,
  extra_specs: {},
  qos_specs_id: null,
};

/** What a client asks of the service itself: types, zones, limits, quotas, extensions, the backup service's state. */
export function serviceFactRoutes(version: Version) {
  const family = version === "v2" ? "V2" : "V3";
  const params = paramsSchema("project_id");
  return [
    blockStorageRoute(version, {
      method: "GET",
      path: "/types",
      operation: `ListVolumeTypes${family}`,
      action: "volume:types:list",
      successStatus: 200,
      schema: { params },
      async handler() {
        return { body: { volume_types: [renderedType] } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/types/:type_id",
      operation: `ShowVolumeType${family}`,
      action: "volume:types:get",
      successStatus: 200,
      schema: { params: paramsSchema("project_id", "type_id") },
      async handler(request) {
        const id = request.params["type_id"] ?? "";
        if (id !== defaultVolumeType.id && id !== "default")
          throw new DomainError("volumeNotFound", `Volume type ${JSON.stringify(id.slice(0, 64))} could not be found.`);
        return { body: { volume_type: renderedType } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/os-availability-zone",
      operation: `ListAvailabilityZones${family}`,
      action: "volume:availabilityZones:list",
      successStatus: 200,
      schema: { params },
      async handler(_request, _caller, context) {
        return { body: { availabilityZoneInfo: [{ zoneName: context.settings.zone, zoneState: { available: true } }] } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/limits",
      operation: `ListLimits${family}`,
      action: "volume:limits:list",
      successStatus: 200,
      schema: { params },
      async handler(_request, caller, context) {
        const used = await countProject(caller, context);
        const absolute = {
          maxTotalVolumes: -1,
          maxTotalSnapshots: -1,
          maxTotalVolumeGigabytes: -1,
          maxTotalBackups: -1,
          maxTotalBackupGigabytes: -1,
          totalVolumesUsed: used.volumes,
          totalSnapshotsUsed: used.snapshots,
          totalGigabytesUsed: used.gigabytes,
          totalBackupsUsed: used.backups,
          totalBackupGigabytesUsed: used.backup_gigabytes,
        };
        return { body: { limits: { rate: [], absolute } } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/os-quota-sets/:target_id",
      operation: `ShowQuotaSet${family}`,
      action: "volume:quotaSets:get",
      successStatus: 200,
      schema: { params: paramsSchema("project_id", "target_id"), querystring: querySchema(["usage"]) },
      async handler(request, caller, context) {
        const id = request.params["target_id"] ?? "";
        if (id !== caller.projectId) throw new DomainError("forbidden", "os-quota-sets: only the project's own can be asked for");
        const used = { ...(await countProject(caller, context)), per_volume_gigabytes: 0, groups: 0 };
        const withUsage = flag(request.query, "usage") === true;
        const figures = Object.entries(used).map(([name, inUse]) => [name, withUsage ? { limit: -1, in_use: inUse, reserved: 0 } : -1]);
        return { body: { quota_set: { id, ...(Object.fromEntries(figures) as object) } } };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/extensions",
      operation: `ListExtensions${family}`,
      action: "volume:extensions:list",
      successStatus: 200,
      schema: { params },
      async handler() {
        const extension = (alias: string, name: string, description: string) => ({
          alias,
          name,
          description,
          links: [],
          updated: "2026-01-01T00:00:00+00:00",
        });
        return {
          body: {
            extensions: [
              extension("backups", "Backups", "Backups of volumes."),
              extension("os-availability-zone", "AvailabilityZones", "Zones of volumes."),
              extension("os-quota-sets", "Quotas", "What a project uses."),
              extension("os-services", "Services", "State of the backup service."),
              extension("os-extended-snapshot-attributes", "ExtendedSnapshotAttributes", "Progress and project of snapshots."),
            ],
          },
        };
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/os-services",
      operation: `ListServices${family}`,
      action: "volume:services:list",
      successStatus: 200,
      schema: { params, querystring: querySchema(["host", "binary"]) },
      async handler(request, _caller, context) {
        const service = {
          binary: "cinder-backup",
          host: context.settings.nodeId,
          zone: context.settings.zone,
          status: "enabled",
          state: "up",
          updated_at: naiveUtc(context.clock.nowUs()),
          disabled_reason: null,
        };
        const { binary, host } = request.query;
        const matches = (binary === undefined || binary === service.binary) && (host === undefined || host === service.host);
        return { body: { services: matches ? [service] : [] } };
      },
    }),
  ];
}
