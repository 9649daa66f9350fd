import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Snapshot } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function createSnapshot(_context: Context, _caller: Caller, _input: { volumeId: Id; name?: string | null; description?: string | null; metadata?: Record<string, string>; force?: boolean }): Promise<Snapshot> {
  throw new InvariantError("createSnapshot is being written");
}
