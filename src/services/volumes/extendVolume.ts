import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Volume } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function extendVolume(_context: Context, _caller: Caller, _input: { volumeId: Id; newSizeGib: number }): Promise<Volume> {
  throw new InvariantError("extendVolume is being written");
}
