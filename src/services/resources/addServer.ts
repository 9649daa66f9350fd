import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Server } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function addServer(_context: Context, _caller: Caller, _input: { name: string; description?: string | null; disks: { volumeId: Id; systemDisk: boolean }[]; architecture?: string | null; availabilityZone?: string }): Promise<Server> {
  throw new InvariantError("addServer is being written");
}
