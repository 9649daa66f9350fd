import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Snapshot } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { findSnapshot } from "../support/find.ts";

/** @throws DomainError `snapshotNotFound` */
export async function showSnapshot(context: Context, caller: Caller, input: { snapshotId: Id }): Promise<Snapshot> {
  return findSnapshot(context.catalog, caller, input.snapshotId);
}
