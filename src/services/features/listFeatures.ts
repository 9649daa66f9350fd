import type { Context } from "../context.ts";
import { listReplicationRegions } from "./listReplicationRegions.ts";

export type FeatureValue = boolean | string | string[];

/** What this service can do, under the published keys and in their order. Each is a fact of its settings or of what it is made of. */
export function listFeatures(context: Context): Record<string, FeatureValue> {
  const { source, destinations } = listReplicationRegions(context);
  return {
    // Backups are kept in one zone.
    "features.backup_double_az": false,
    // Nothing is kept apart for bare-metal recovery: a server's disks are restored one by one.
    "features.bccrack_enable": false,
    // No gateway between regions is needed: they speak to each other directly.
    "replication.destination_dgw_regions": [],
    "replication.destination_regions": destinations,
    "replication.enable": destinations.length > 0,
    "replication.source_region": source,
  };
}
