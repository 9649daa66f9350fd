import type { Context } from "../context.ts";
import { peersOf } from "../replication/peers.ts";

/** This region, and those that its backups can be replicated to: itself, into another project or vault, and those that are connected. */
export function listReplicationRegions(context: Context): { source: string; destinations: string[] } {
  return { source: context.settings.region, destinations: [context.settings.region, ...peersOf(context).map(({ region }) => region)] };
}
