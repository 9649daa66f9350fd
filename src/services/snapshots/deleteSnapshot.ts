import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function deleteSnapshot(_context: Context, _caller: Caller, _input: { snapshotId: Id }): Promise<void> {
  throw new InvariantError("deleteSnapshot is being written");
}
