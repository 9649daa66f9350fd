import type { Id, ProjectId, TimestampUs } from "./ids.ts";

export type TaskType =
  | "backup"
  | "restore"
  | "delete"
  | "remove_resource"
  | "vault_delete"
  | "check"
  | "collect"
  | "replication"
  | "replica"
  | "sync";
export type TaskStatus = "waiting" | "running" | "success" | "failed" | "skipped" | "timeout";

/** CBR's name of the operation. */
export const operationOf = (type: TaskType): string => (type === "replica" ? "replication" : type);

export const taskIsOver = (status: TaskStatus): boolean => status !== "waiting" && status !== "running";

/** Where a running task is. `total` is null while it is not known. */
export interface TaskProgress {
  phase: string;
  bytesDone: number;
  bytesTotal: number | null;
  /** Bytes per second over the last seconds. */
  rate: number;
}

/** One unit of work; it *is* CBR's operation log entry. */
export interface Task {
  id: Id;
  projectId: ProjectId;
  type: TaskType;
  status: TaskStatus;
  vaultId: Id | null;
  vaultName: string | null;
  checkpointId: Id | null;
  policyId: Id | null;
  providerId: string | null;
  backupId: Id | null;
  backupName: string | null;
  resourceId: Id | null;
  resourceName: string | null;
  resourceType: string | null;
  /** What it must do beyond its row, such as restore targets. */
  input: Record<string, unknown>;
  /** What it found, such as counts; shown in `extra_info`. */
  result: Record<string, unknown>;
  progress: TaskProgress;
  requestId: string | null;
  errorCode: string;
  errorMessage: string;
  /** Set by a caller who wants it stopped. */
  cancelRequested: boolean;
  /** Rises with every claim: writes with an older token are refused. */
  fencingToken: number;
  leaseOwner: string | null;
  leaseExpiresAt: TimestampUs | null;
  createdAt: TimestampUs;
  startedAt: TimestampUs | null;
  updatedAt: TimestampUs;
  endedAt: TimestampUs | null;
}
