import type { Id, ProjectId, TimestampUs } from "./ids.ts";

/** CBR's states of one copy. `skip`: a copy of the backup was there already. */
export type ReplicationStatus = "waiting_replicate" | "replicating" | "success" | "fail" | "skip";

export const replicationIsOver = (status: ReplicationStatus): boolean => status !== "waiting_replicate" && status !== "replicating";

/** One copying of one backup into another vault. Both regions keep it under the same id; within one service it is one row that both sides see. */
export interface ReplicationRecord {
  id: Id;
  status: ReplicationStatus;
  sourceRegion: string;
  sourceProjectId: ProjectId;
  sourceVaultId: Id;
  sourceBackupId: Id;
  sourceBackupName: string | null;
  sourceCheckpointId: Id;
  destinationRegion: string;
  destinationProjectId: ProjectId;
  destinationVaultId: Id;
  /** null until the destination has made them. */
  destinationBackupId: Id | null;
  destinationCheckpointId: Id | null;
  /** Percent of the image's bytes that are there. */
  progress: number;
  /** `BackupService.NNNN` and why; empty unless it failed. */
  failCode: string;
  failReason: string;
  /** Started by a policy, not a person. */
  autoTrigger: boolean;
  createdAt: TimestampUs;
  updatedAt: TimestampUs;
}
