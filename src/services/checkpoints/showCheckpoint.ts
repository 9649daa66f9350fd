import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { CheckpointView } from "../views.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function showCheckpoint(_context: Context, _caller: Caller, _input: { checkpointId: Id }): Promise<CheckpointView> {
  throw new InvariantError("showCheckpoint is being written");
}
