import type { Id, ProjectId, TimestampUs } from "./ids.ts";

export type MemberStatus = "pending" | "accepted" | "rejected";
export const memberStatuses = ["pending", "accepted", "rejected"] as const satisfies readonly MemberStatus[];

/** Most projects that one backup may be shared with. */
export const maxMembers = 10;

/**
 * A backup shared with another project, the receiver. There is no copy of it: the data stays the owner's, and the receiver may restore it and make
 * volumes of it while the share is `accepted`.
 */
export interface Member {
  id: Id;
  backupId: Id;
  /** The owner of the backup. */
  projectId: ProjectId;
  /** The receiver. */
  destProjectId: ProjectId;
  status: MemberStatus;
  /** The receiver's vault that it counts in; null unless it is accepted. */
  vaultId: Id | null;
  /** What it counts there: bytes of the image that are not zero. */
  sizeBytes: number;
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}
