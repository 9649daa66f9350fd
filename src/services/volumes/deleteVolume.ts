import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function deleteVolume(_context: Context, _caller: Caller, _input: { volumeId: Id; cascade?: boolean }): Promise<void> {
  throw new InvariantError("deleteVolume is being written");
}
