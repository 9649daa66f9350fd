import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { BackupView } from "#catalog/tables.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export interface CreateVolumeBackupInput {
  volumeId: Id;
  /** Back up this snapshot of the volume instead of the volume itself. */
  snapshotId?: Id;
  name?: string | null;
  description?: string | null;
  /** True: refuse if there is no base. False: full. "auto": incremental where there is a base. */
  incremental: boolean | "auto";
  /** Allow the backup of an attached (in-use) volume. */
  force?: boolean;
  metadata?: Record<string, string>;
  viaCloudbackups?: boolean;
}

export async function createVolumeBackup(_context: Context, _caller: Caller, _input: CreateVolumeBackupInput): Promise<BackupView> {
  throw new InvariantError("createVolumeBackup is being written");
}
