import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Snapshot } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function showSnapshot(_context: Context, _caller: Caller, _input: { snapshotId: Id }): Promise<Snapshot> {
  throw new InvariantError("showSnapshot is being written");
}
