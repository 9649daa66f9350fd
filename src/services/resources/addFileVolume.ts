import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Volume, VolumeEncryption } from "#model/resource.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function addFileVolume(_context: Context, _caller: Caller, _input: { name: string; path: string; description?: string | null; volumeType?: string; availabilityZone?: string; bootable?: boolean; encryption?: VolumeEncryption | null; metadata?: Record<string, string> }): Promise<Volume> {
  throw new InvariantError("addFileVolume is being written");
}
