import type { Context } from "../context.ts";

/** This region, and those that its backups can be replicated to: itself, into another project or vault. */
export function listReplicationRegions(context: Context): { source: string; destinations: string[] } {
  return { source: context.settings.region, destinations: [context.settings.region] };
}
