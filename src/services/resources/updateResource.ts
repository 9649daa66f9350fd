import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Resource } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function updateResource(_context: Context, _caller: Caller, _input: { resourceId: Id; name?: string; description?: string | null; architecture?: string | null; disks?: { volumeId: Id; systemDisk: boolean }[] }): Promise<Resource> {
  throw new InvariantError("updateResource is being written");
}
