import type { BackupStatus } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Resource, VolumeStatus } from "#model/resource.ts";
import type { Task } from "#model/task.ts";
import { invariant } from "#platform/invariant.ts";

/** What a `backup` task must do beyond its row. */
export interface BackupTaskInput {
  /** The disk backups of the run, in device order. */
  disks: {
    backupId: Id;
    volumeId: Id;
    /** The volume's status before it was set to `backing-up`; null when its status was left alone. */
    previousStatus: VolumeStatus | null;
  }[];
  /** True: only with a base. False: full. */
  incremental: boolean;
  /** Read this snapshot instead of the volume. */
  snapshotId: Id | null;
}

/** What a `restore` task must do. */
export interface RestoreTaskInput {
  targets: {
    backupId: Id;
    volumeId: Id;
    /** The volume's status before it was set to `restoring-backup`; null on a volume made for this restore. */
    previousStatus: VolumeStatus | null;
  }[];
  targetResourceId: Id;
  targetResourceName: string;
  /** Restore what can be read of a damaged backup. */
  allowHoles?: boolean;
  /** Whose backup it is, when another project shares it: its bytes are read as that project's. */
  ownerProjectId?: ProjectId;
}

/** What a `check` task must do. */
export interface CheckTaskInput {
  /** Share of the stored bytes to read, or a number of them; null = structure only. */
  readData: { percent: number } | { bytes: number } | null;
}

/** What a `collect` task must do. */
export interface CollectTaskInput {
  /** Go on however much is not needed any more without a deletion that explains it. */
  force: boolean;
}

/** The two ends of a copying, as its tasks tell them. */
export interface CopyEnds {
  recordId: Id;
  sourceRegion: string;
  sourceProjectId: ProjectId;
  sourceBackupId: Id;
  sourceBackupName: string | null;
  sourceCheckpointId: Id;
  destinationRegion: string;
  destinationProjectId: ProjectId;
  destinationBackupId: Id | null;
  destinationBackupName: string | null;
  destinationCheckpointId: Id | null;
}

/** What a `replication` task, the source's end, must do. */
export interface ReplicationTaskInput extends CopyEnds {
  destinationVaultId: Id;
  /** In whose name the destination is asked. */
  userId: string;
  /** Of the copy. */
  description: string | null;
  retentionDays: number | null;
}

/** What a `replica` task, the destination's end, must do. */
export interface ReplicaTaskInput extends CopyEnds {
  /** In device order. `dataBytes`: of the image, for the progress. */
  disks: { backupId: Id; sourceBackupId: Id; resource: Resource; dataBytes: number }[];
  server: Resource | null;
}

/** What a `sync` task must find and make visible: one backup of an import store, or whatever belongs to its vault. */
export interface SyncTaskInput {
  /** Absent: everything of the task's vault. */
  backup?: { store: string; tenant: string; backupId: Id; name: string; resourceId: Id };
  userId: string;
}

/** What a `delete` task must do. */
export interface DeleteTaskInput {
  previousStatus: BackupStatus;
}

/** Task inputs are written by the use cases and read by the runs: the type says which use case wrote it. */
function inputOf(task: Task, type: Task["type"]): unknown {
  invariant(task.type === type, `a ${task.type} task is not read as ${type}`);
  return task.input;
}

export const backupInput = (task: Task): BackupTaskInput => inputOf(task, "backup") as BackupTaskInput;
export const restoreInput = (task: Task): RestoreTaskInput => inputOf(task, "restore") as RestoreTaskInput;
export const checkInput = (task: Task): CheckTaskInput => inputOf(task, "check") as CheckTaskInput;
export const collectInput = (task: Task): CollectTaskInput => inputOf(task, "collect") as CollectTaskInput;
export const deleteInput = (task: Task): DeleteTaskInput => inputOf(task, "delete") as DeleteTaskInput;

export const replicationInput = (task: Task): ReplicationTaskInput => inputOf(task, "replication") as ReplicationTaskInput;
export const syncInput = (task: Task): SyncTaskInput => inputOf(task, "sync") as SyncTaskInput;
export const replicaInput = (task: Task): ReplicaTaskInput => inputOf(task, "replica") as ReplicaTaskInput;

export const asInput = (
  input:
    | BackupTaskInput
    | RestoreTaskInput
    | DeleteTaskInput
    | CheckTaskInput
    | CollectTaskInput
    | ReplicationTaskInput
    | ReplicaTaskInput
    | SyncTaskInput,
): Record<string, unknown> => ({
  ...input,
});
