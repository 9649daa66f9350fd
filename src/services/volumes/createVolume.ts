import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Volume, VolumeEncryption } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export interface CreateVolumeInput {
  /** Required unless a source tells it. */
  sizeGib?: number;
  name?: string | null;
  description?: string | null;
  volumeType?: string;
  availabilityZone?: string;
  metadata?: Record<string, string>;
  bootable?: boolean;
  encryption?: VolumeEncryption | null;
  snapshotId?: Id;
  sourceVolumeId?: Id;
  backupId?: Id;
}

export async function createVolume(_context: Context, _caller: Caller, _input: CreateVolumeInput): Promise<Volume> {
  throw new InvariantError("createVolume is being written");
}
