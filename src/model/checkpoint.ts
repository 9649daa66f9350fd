import type { Id, ProjectId, TimestampUs } from "./ids.ts";
import type { ResourceType } from "./resource.ts";

export type CheckpointStatus = "available" | "deleting" | "protecting" | "deleted" | "error-deleting" | "error";

export interface SkippedResource {
  id: Id;
  type: ResourceType;
  name: string;
  /** A `BackupService.NNNN` code. */
  code: string;
  reason: string;
}

/** A restore point: one run over one vault. It lives as long as any of its backups does; its status is derived from them. */
export interface Checkpoint {
  id: Id;
  projectId: ProjectId;
  vaultId: Id;
  name: string;
  description: string | null;
  /** Days that its backups are kept; null = until deleted. */
  retentionDays: number | null;
  skipped: SkippedResource[];
  createdAt: TimestampUs;
}
