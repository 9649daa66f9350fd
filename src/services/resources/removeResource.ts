import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function removeResource(_context: Context, _caller: Caller, _input: { resourceId: Id }): Promise<void> {
  throw new InvariantError("removeResource is being written");
}
