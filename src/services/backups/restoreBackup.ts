import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export interface RestoreBackupInput {
  backupId: Id;
  /** Disk backup: the volume to overwrite; absent = a new volume. */
  volumeId?: Id;
  /** Name of the new volume; default `restore_backup_{backupId}`. */
  newVolumeName?: string;
  /** Server backup: the target server and which child backup goes onto which of its disks. */
  serverId?: Id;
  mappings?: { backupId: Id; volumeId: Id }[];
}
export interface RestoreBackupResult {
  taskId: Id;
  backupId: Id;
  volumeId: Id | null;
  volumeName: string | null;
}

export async function restoreBackup(_context: Context, _caller: Caller, _input: RestoreBackupInput): Promise<RestoreBackupResult> {
  throw new InvariantError("restoreBackup is being written");
}
