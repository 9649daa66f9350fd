import type { Id, ProjectId, TimestampUs } from "./ids.ts";
import type { ResourceType, VolumeEncryption } from "./resource.ts";

/** CBR's states; the other dialects map them (docs/compatibility/backup-resource.md). */
export type BackupStatus = "waiting_protect" | "protecting" | "available" | "waiting_restore" | "restoring" | "waiting_delete" | "deleting" | "error";

/** Which states may follow which; anything else is a defect. */
export const backupTransitions: Readonly<Record<BackupStatus, readonly BackupStatus[]>> = {
  waiting_protect: ["protecting", "error", "waiting_delete"],
  protecting: ["available", "error"],
  available: ["waiting_restore", "waiting_delete"],
  waiting_restore: ["restoring", "available"],
  restoring: ["available"],
  waiting_delete: ["deleting", "error", "available"],
  deleting: ["error"],
  error: ["waiting_delete"],
};

/** What one run measured. All bytes; every figure comes from the pipeline that moved them. */
export interface BackupStatistics {
  /** Bytes read from the source. */
  readBytes: number;
  /** Bytes of the image that are not zero. */
  dataBytes: number;
  /** Bytes of chunks that this backup stored first, before compression. */
  newBytes: number;
  /** What those take in the store, with record overhead. */
  storedBytes: number;
  /** Bytes found unchanged against the parent. */
  unchangedBytes: number;
  /** Bytes found elsewhere in the store by content. */
  deduplicatedBytes: number;
  newChunks: number;
  /** Objects in the store that hold this backup's data, shared ones included. */
  objectCount: number;
  /** Whether any stored chunk was compressed. */
  compressed: boolean;
  /** Milliseconds from the first read to the sealed root. */
  durationMs: number;
}

/**
 * One backup: of a disk, or of a server (then a parent with one child per disk).
 * Every dialect's answer is a pure rendering of this.
 */
export interface Backup {
  id: Id;
  projectId: ProjectId;
  userId: string;
  name: string | null;
  description: string | null;
  status: BackupStatus;
  imageType: "backup" | "replication";
  vaultId: Id;
  checkpointId: Id;
  /** Containment: the server backup that this disk backup is part of. */
  parentId: Id | null;
  /** The backup whose manifest this one was compared with; null on a full backup. */
  baseId: Id | null;
  /** First (full) backup of the chain; its own id on a full backup. */
  chainId: Id;
  resourceId: Id;
  resourceName: string;
  resourceType: ResourceType;
  resourceSizeGib: number;
  resourceAz: string | null;
  /** Zone of the node and store that hold it. */
  storeZone: string;
  /** The host id of the node that made it. */
  nodeId: Id;
  /** The operation log entry that made it. */
  taskId: Id | null;
  /** Started by a policy, not a person. */
  autoTrigger: boolean;
  /** What the request asked for, whatever became of it. */
  incrementalRequested: boolean;
  incremental: boolean;
  /** Facts of the source at the time of the backup; null where they do not apply. */
  bootable: boolean | null;
  systemDisk: boolean | null;
  containSystemDisk: boolean | null;
  encryption: VolumeEncryption | null;
  encrypted: boolean | null;
  architecture: string | null;
  volumeType: string | null;
  volumeMetadata: Record<string, string>;
  snapshotId: Id | null;
  /** The user's own key/values. */
  metadata: Record<string, string>;
  /** Percent of a running or finished disk backup, 0 to 100; null on a server backup. */
  progress: number | null;
  failReason: string | null;
  statistics: BackupStatistics | null;
  /** Key of the sealed root object in the store; null until there is one. */
  rootKey: string | null;
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
  /** The instant that the data represents; null until it was captured. */
  protectedAt: TimestampUs | null;
  expiredAt: TimestampUs | null;
  /** Made through OTC's own `cloudbackups` operation: VBS v2 shows its description in the JSON form. */
  viaCloudbackups: boolean;
}
