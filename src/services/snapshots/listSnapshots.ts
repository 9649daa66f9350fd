import type { Listed, Page } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Snapshot } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";

export interface ListSnapshotsInput {
  filter: { volumeId?: Id; name?: string; status?: string; allProjects?: boolean };
  page: Page;
}

export async function listSnapshots(context: Context, caller: Caller, input: ListSnapshotsInput): Promise<Listed<Snapshot>> {
  return context.catalog.snapshots.list(caller.projectId, withinReach(caller, input.filter), input.page);
}
