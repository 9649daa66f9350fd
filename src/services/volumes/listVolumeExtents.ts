import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Extent } from "#sources/source.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listVolumeExtents(_context: Context, _caller: Caller, _input: { volumeId: Id }): Promise<{ sizeBytes: number; extents: Extent[] }> {
  throw new InvariantError("listVolumeExtents is being written");
}
