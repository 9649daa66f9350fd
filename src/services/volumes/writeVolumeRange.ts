import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function writeVolumeRange(_context: Context, _caller: Caller, _input: { volumeId: Id; offset: number; bytes: Uint8Array }): Promise<void> {
  throw new InvariantError("writeVolumeRange is being written");
}
