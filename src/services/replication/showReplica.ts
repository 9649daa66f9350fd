import type { Id } from "#model/ids.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Context } from "../context.ts";

/** How far a copy is that another region has had begun here; undefined when there is none of that id and region. */
export async function showReplica(context: Context, region: string, recordId: Id): Promise<ReplicationRecord | undefined> {
  const record = await context.catalog.replications.get(recordId);
  const isTheirs = record?.sourceRegion === region && record.destinationRegion === context.settings.region && region !== context.settings.region;
  return isTheirs ? record : undefined;
}
