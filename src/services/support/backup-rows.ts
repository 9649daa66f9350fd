import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Server, Volume, VolumeStatus } from "#model/resource.ts";
import type { Task } from "#model/task.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { newTask } from "./new-task.ts";
import { asInput } from "./task-input.ts";
import type { BackupTaskInput } from "./task-input.ts";

export const dayUs = 86_400 * 1_000_000;

/** When a backup's time is over: so many days on, as far as a time can be told (the year 2255). */
export const expiryAfter = (createdAt: TimestampUs, days: number): TimestampUs => Math.min(createdAt + days * dayUs, Number.MAX_SAFE_INTEGER);

/** What all backups of one run have in common. */
export interface Run {
  caller: Pick<Caller, "projectId" | "userId" | "requestId">;
  vault: Vault;
  checkpoint: Checkpoint;
  autoTrigger: boolean;
  incremental: boolean;
  /** The policy that runs it. */
  policyId?: Id | null;
}

type Facts = Pick<Backup, "name" | "resourceId" | "resourceName" | "resourceType" | "resourceSizeGib" | "resourceAz"> & Partial<Backup>;

function row(context: Context, run: Run, facts: Facts): Backup {
  const id = context.random.uuid();
  const createdAt = context.clock.nowUs();
  const { retentionDays } = run.checkpoint;
  return {
    id,
    projectId: run.caller.projectId,
    userId: run.caller.userId,
    description: run.checkpoint.description,
    status: "waiting_protect",
    imageType: "backup",
    vaultId: run.vault.id,
    checkpointId: run.checkpoint.id,
    parentId: null,
    baseId: null,
    chainId: id,
    storeZone: context.settings.zone,
    nodeId: context.settings.nodeId,
    taskId: null,
    autoTrigger: run.autoTrigger,
    incrementalRequested: run.incremental,
    incremental: false,
    bootable: null,
    systemDisk: null,
    containSystemDisk: null,
    encryption: null,
    encrypted: null,
    architecture: null,
    volumeType: null,
    volumeMetadata: {},
    snapshotId: null,
    metadata: {},
    progress: null,
    failReason: null,
    statistics: null,
    rootKey: null,
    createdAt,
    updatedAt: null,
    protectedAt: null,
    expiredAt: retentionDays === null ? null : expiryAfter(createdAt, retentionDays),
    viaCloudbackups: false,
    ...facts,
  };
}

/** A backup of one disk, as the volume is now; `facts` adds or overrides. */
export function diskBackup(context: Context, run: Run, volume: Volume, systemDisk: boolean, facts: Pick<Backup, "name"> & Partial<Backup>): Backup {
  return row(context, run, {
    resourceId: volume.id,
    resourceName: volume.name,
    resourceType: "OS::Cinder::Volume",
    resourceSizeGib: volume.sizeGib,
    resourceAz: volume.availabilityZone,
    bootable: volume.bootable,
    systemDisk,
    encryption: volume.encryption,
    encrypted: volume.encryption !== null,
    volumeType: volume.volumeType,
    volumeMetadata: volume.metadata,
    progress: 0,
    ...facts,
  });
}

export interface IncludedDisk {
  volume: Volume;
  systemDisk: boolean;
}

/** The backup of a server: the parent of one backup for each included disk. */
export function serverBackup(context: Context, run: Run, server: Server, disks: readonly IncludedDisk[], name: string): Backup {
  return row(context, run, {
    name,
    resourceId: server.id,
    resourceName: server.name,
    resourceType: "OS::Nova::Server",
    resourceSizeGib: disks.reduce((sum, disk) => sum + disk.volume.sizeGib, 0),
    resourceAz: server.availabilityZone,
    architecture: server.architecture,
    containSystemDisk: disks.some((disk) => disk.systemDisk),
  });
}

/**
 * Marks a volume `backing-up` from the request until the backup ends, so that nothing else takes it meanwhile.
 * Tells what its status was; undefined when it may not be backed up now.
 */
export async function takeForBackup(tables: Tables, volume: Volume, now: TimestampUs): Promise<VolumeStatus | undefined> {
  for (const from of ["available", "in-use"] as const) {
    if (await tables.resources.transition(volume.id, [from], "backing-up", now)) return from;
  }
  return undefined;
}

/** Inserts a top-level backup with its children and the task that makes it. */
export async function insertBackup(
  context: Context,
  tables: Tables,
  run: Run,
  backup: Backup,
  children: readonly Backup[],
  input: BackupTaskInput,
): Promise<Task> {
  const task = newTask(context, {
    projectId: backup.projectId,
    type: "backup",
    vaultId: run.vault.id,
    vaultName: run.vault.name,
    checkpointId: run.checkpoint.id,
    policyId: run.policyId ?? null,
    providerId: providerIds[objectTypeOf[backup.resourceType]],
    backupId: backup.id,
    backupName: backup.name,
    resourceId: backup.resourceId,
    resourceName: backup.resourceName,
    resourceType: backup.resourceType,
    input: asInput(input),
    requestId: run.caller.requestId,
  });
  await tables.tasks.insert(task);
  for (const each of [backup, ...children]) await tables.backups.insert({ ...each, taskId: task.id });
  return task;
}

/** `manualbk_xxxx` or `autobk_xxxx`, or the vault's own prefix with four hex digits. */
export function generatedName(context: Context, vault: Pick<Vault, "backupNamePrefix">, autoTrigger: boolean): string {
  const digits = Buffer.from(context.random.bytes(2)).toString("hex");
  return `${vault.backupNamePrefix ?? (autoTrigger ? "autobk" : "manualbk")}_${digits}`;
}

export function newCheckpoint(context: Context, vault: Vault, given: Pick<Checkpoint, "name"> & Partial<Checkpoint>): Checkpoint {
  return {
    id: context.random.uuid(),
    projectId: vault.projectId,
    vaultId: vault.id,
    description: null,
    retentionDays: null,
    skipped: [],
    createdAt: context.clock.nowUs(),
    ...given,
  };
}
