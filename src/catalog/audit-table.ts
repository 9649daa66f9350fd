import type { AuditEntry } from "#model/audit.ts";
import type { Id, ProjectId, TimestampUs } from "#model/ids.ts";
import type { Listed, Page } from "./tables.ts";

export interface AuditFilter {
  /** Id or name. */
  user?: string;
  operation?: string;
  action?: string;
  event?: string;
  resourceType?: string;
  resourceId?: string;
  requestId?: string;
  address?: string;
  credentialId?: string;
  status?: number;
  /** Only calls that were refused or failed, or only those that were not. */
  refused?: boolean;
  createdFrom?: TimestampUs;
  createdTo?: TimestampUs;
  allProjects?: boolean;
}

export interface AuditTable {
  insert(entry: AuditEntry): Promise<void>;
  update(id: Id, patch: Partial<Omit<AuditEntry, "id">>): Promise<void>;
  list(projectId: ProjectId, filter: AuditFilter, page: Page): Promise<Listed<AuditEntry>>;
  /** Removes at most `limit` entries from before that time, the oldest first; tells how many. */
  removeOlder(before: TimestampUs, limit: number): Promise<number>;
}
