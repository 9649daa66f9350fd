import { stat } from "node:fs/promises";
import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Volume, VolumeStatus } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { checkLooseName } from "../support/checks.ts";
import { findServer, findVolume } from "../support/find.ts";
import { refuseWhileCopied } from "../support/holds.ts";
import { isLocal, pathOf } from "../support/paths.ts";
import { planServerRestore } from "../support/plan-server-restore.ts";
import { insertRestore, refuseUnlessRestorable } from "../support/restore-rows.ts";
import { findReadableBackup } from "../support/shares.ts";
import type { Readable } from "../support/shares.ts";
import type { RestoreTaskInput } from "../support/task-input.ts";
import { defaultVolumeType } from "../support/volume-rows.ts";

export interface RestoreBackupInput {
  backupId: Id;
  /** Disk backup: the volume to overwrite; absent = a new volume. */
  volumeId?: Id;
  /** Name of the new volume; default `restore_backup_{backupId}`. */
  newVolumeName?: string;
  /** Server backup: the target server and which child backup goes onto which of its disks. */
  serverId?: Id;
  mappings?: { backupId: Id; volumeId: Id }[];
  /** Restore all that can be read of a damaged backup, zeros elsewhere; the task tells the ranges. Default: refuse. */
  allowHoles?: boolean;
}
export interface RestoreBackupResult {
  taskId: Id;
  backupId: Id;
  volumeId: Id | null;
  volumeName: string | null;
}

/**
 * Queues a restore: of a disk onto a volume or a new one, of a server onto disks of a server. The backup may be another project's that is shared with
 * the caller's. Everything is checked before anything changes.
 * @throws DomainError `backupNotFound`, `backupNotRestorable`, `vaultUnavailableForRestore`, `volumeNotFound`, `serverNotFound`,
 * `diskStatusForbidsRestore`, `targetBeingBackedUp`, `resourceBeingRestored`, `targetTooSmall`, `badMapping`, `dataDiskOntoSystemDisk`,
 * `architectureDiffers`, `invalidRequest`
 */
export async function restoreBackup(context: Context, caller: Caller, input: RestoreBackupInput): Promise<RestoreBackupResult> {
  const files = await fileSizes(context, caller, input);
  const result = await context.catalog.transaction(async (tables) => {
    const from = await findReadableBackup(tables, caller, input.backupId);
    const { backup } = from;
    await refuseUnlessRestorable(tables, from);
    const now = context.clock.nowUs();
    if (backup.resourceType === "OS::Nova::Server") return restoreServer(context, tables, caller, from, input);
    if (backup.resourceType !== "OS::Cinder::Volume")
      throw new DomainError("backupNotRestorable", `A backup of ${backup.resourceType} cannot be restored.`);
    if (input.serverId !== undefined || (input.mappings?.length ?? 0) > 0) {
      throw new DomainError("badMapping", "server_id and mappings are for server backups only", { field: "mappings" });
    }
    return input.volumeId === undefined
      ? restoreToNewVolume(context, tables, caller, from, input, now)
      : restoreToVolume(context, tables, caller, from, input.volumeId, files, input.allowHoles ?? false);
  });
  context.wake();
  return result;
}

/** Image and file sizes, when the target is a file of the operator's: its length is fixed, so the image must fit in bytes. */
interface FileSizes {
  imageBytes: number;
  targetBytes: number;
}

async function fileSizes(context: Context, caller: Caller, input: RestoreBackupInput): Promise<FileSizes | undefined> {
  if (input.volumeId === undefined) return undefined;
  const { backup } = await findReadableBackup(context.catalog, caller, input.backupId);
  const volume = await findVolume(context.catalog, caller, input.volumeId);
  if (isLocal(volume.locator) || backup.rootKey === null) return undefined;
  const path = await pathOf(context.settings, volume.locator);
  const [root, stats] = [await context.engine.readRoot(backup.projectId, backup.id), await stat(path)];
  return root === undefined ? undefined : { imageBytes: root.sizeBytes, targetBytes: stats.size };
}

async function restoreToNewVolume(
  context: Context,
  tables: Tables,
  caller: Caller,
  from: Readable,
  { newVolumeName, allowHoles = false }: RestoreBackupInput,
  createdAt: TimestampUs,
): Promise<RestoreBackupResult> {
  const { backup, share } = from;
  const id = context.random.uuid();
  const volume: Volume = {
    id,
    projectId: caller.projectId,
    userId: caller.userId,
    type: "OS::Cinder::Volume",
    name: checkLooseName(newVolumeName ?? `restore_backup_${backup.id}`, "name"),
    description: null,
    status: "creating",
    locator: `local:${id}`,
    sizeGib: backup.resourceSizeGib,
    availabilityZone: backup.resourceAz ?? backup.storeZone,
    volumeType: backup.volumeType ?? defaultVolumeType,
    bootable: backup.bootable ?? false,
    encryption: backup.encryption,
    metadata: share === null ? backup.volumeMetadata : {},
    tags: [],
    sourceSnapshotId: null,
    sourceVolumeId: null,
    sourceBackupId: backup.id,
    createdAt,
    updatedAt: null,
  };
  await tables.resources.insert(volume);
  return queueOntoVolume(context, tables, caller, from, volume, null, allowHoles);
}

async function restoreToVolume(
  context: Context,
  tables: Tables,
  caller: Caller,
  from: Readable,
  volumeId: Id,
  files: FileSizes | undefined,
  allowHoles: boolean,
): Promise<RestoreBackupResult> {
  const { backup } = from;
  const volume = await findVolume(tables, caller, volumeId);
  const previousStatus = await takeForRestore(context, tables, volume, ["available"]);
  if (volume.sizeGib < backup.resourceSizeGib) {
    throw new DomainError("targetTooSmall", `volume_id: the volume has ${volume.sizeGib} GiB, the backup ${backup.resourceSizeGib} GiB`, {
      field: "volume_id",
    });
  }
  if (files !== undefined && files.targetBytes < files.imageBytes) {
    throw new DomainError("targetTooSmall", `volume_id: the file has ${files.targetBytes} bytes, the backup ${files.imageBytes}`, {
      field: "volume_id",
    });
  }
  return queueOntoVolume(context, tables, caller, from, volume, previousStatus, allowHoles);
}

async function queueOntoVolume(
  context: Context,
  tables: Tables,
  caller: Caller,
  from: Readable,
  volume: Volume,
  previousStatus: VolumeStatus | null,
  allowHoles: boolean,
): Promise<RestoreBackupResult> {
  const { backup } = from;
  const targets = [{ backupId: backup.id, volumeId: volume.id, previousStatus }];
  const task = await insertRestore(context, tables, caller, from, {
    targets,
    targetResourceId: volume.id,
    targetResourceName: volume.name,
    allowHoles,
  });
  return { taskId: task.id, backupId: backup.id, volumeId: volume.id, volumeName: volume.name };
}

/** Marks a volume `restoring-backup` from the request until the restore ends. Tells what its status was. */
async function takeForRestore(context: Context, tables: Tables, volume: Volume, allowed: readonly VolumeStatus[]): Promise<VolumeStatus> {
  refuseWhileCopied(context, volume.id);
  if (volume.status === "backing-up") throw new DomainError("targetBeingBackedUp", `Volume ${volume.id} is being backed up.`);
  if (volume.status === "restoring-backup") throw new DomainError("resourceBeingRestored", `Volume ${volume.id} is being restored already.`);
  if (!(await tables.resources.transition(volume.id, allowed, "restoring-backup", context.clock.nowUs()))) {
    throw new DomainError("diskStatusForbidsRestore", `Volume ${volume.id} is ${volume.status}; a restore needs it ${allowed.join(" or ")}.`);
  }
  return volume.status;
}

async function restoreServer(
  context: Context,
  tables: Tables,
  caller: Caller,
  from: Readable,
  input: RestoreBackupInput,
): Promise<RestoreBackupResult> {
  const { backup } = from;
  if (input.volumeId !== undefined || input.newVolumeName !== undefined) {
    throw new DomainError("badMapping", "volume_id is for disk backups only; a server backup is restored with server_id and mappings", {
      field: "volume_id",
    });
  }
  const server = await findServer(tables, caller, input.serverId ?? backup.resourceId);
  const plan = await planServerRestore(tables, backup, server, input.mappings);
  const targets: RestoreTaskInput["targets"] = [];
  for (const { child, volume } of plan) {
    targets.push({ backupId: child.id, volumeId: volume.id, previousStatus: await takeForRestore(context, tables, volume, ["in-use", "available"]) });
  }
  const task = await insertRestore(context, tables, caller, from, {
    targets,
    targetResourceId: server.id,
    targetResourceName: server.name,
    allowHoles: input.allowHoles ?? false,
  });
  return { taskId: task.id, backupId: backup.id, volumeId: null, volumeName: null };
}
