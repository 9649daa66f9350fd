import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Resource } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function showResource(_context: Context, _caller: Caller, _input: { resourceId: Id }): Promise<Resource> {
  throw new InvariantError("showResource is being written");
}
