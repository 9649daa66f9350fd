import type { AuditFilter } from "#catalog/audit-table.ts";
import type { Listed, Page } from "#catalog/tables.ts";
import type { AuditEntry } from "#model/audit.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";
import { auditTrailOf } from "./auditTrail.ts";

/** The audit log of the caller's project, newest first; every project's for an administrator who asks for it. Everything answered so far is in it. */
export async function listAudit(context: Context, caller: Caller, filter: AuditFilter, page: Page): Promise<Listed<AuditEntry>> {
  await auditTrailOf(context).flush();
  return context.catalog.audit.list(caller.projectId, withinReach(caller, filter), page);
}
