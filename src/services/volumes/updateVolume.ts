import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Volume } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function updateVolume(_context: Context, _caller: Caller, _input: { volumeId: Id; name?: string; description?: string | null; metadata?: Record<string, string>; bootable?: boolean }): Promise<Volume> {
  throw new InvariantError("updateVolume is being written");
}
