import type { AuditFilter } from "#catalog/audit-table.ts";
import type { AuditEntry } from "#model/audit.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import { listAudit } from "#services/audit/listAudit.ts";
import { paramsSchema, querySchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";
import { flag, instant, integer, one, oneOf, page, type Query } from "../query.ts";

const texts = {
  user: "user",
  operation: "operation",
  action: "action",
  event: "event",
  resourceType: "resource_type",
  resourceId: "resource_id",
  requestId: "request_id",
  address: "address",
  credentialId: "credential_id",
} as const satisfies Partial<Record<keyof AuditFilter, string>>;
const others = ["status", "result", "start_time", "end_time", "all_projects", "limit", "offset", "marker"];

function readFilter(query: Query): AuditFilter {
  const filter: AuditFilter = {};
  for (const [key, name] of Object.entries(texts) as [keyof typeof texts, string][]) {
    const value = one(query, name);
    if (value !== undefined) filter[key] = value;
  }
  if (one(query, "status") !== undefined) filter.status = integer(query, "status", { min: 100, max: 599, default: 200 });
  const result = oneOf(query, "result", ["done", "refused"]);
  if (result !== undefined) filter.refused = result === "refused";
  const [from, to] = [instant(query, "start_time"), instant(query, "end_time")];
  if (from !== undefined) filter.createdFrom = from;
  if (to !== undefined) filter.createdTo = to;
  if (flag(query, "all_projects") === true) filter.allProjects = true;
  return filter;
}

function renderEntry(entry: AuditEntry) {
  const { userId, userName, domainId, credential, credentialId, resourceType, resourceId, resourceName } = entry;
  return {
    id: entry.id,
    project_id: entry.projectId === "" ? null : entry.projectId,
    target_project_id: entry.targetProjectId,
    user: userId === "" ? null : { id: userId, name: userName, domain_id: domainId },
    credential: credential === "none" ? null : { kind: credential, id: credentialId },
    dialect: entry.dialect,
    operation: entry.operation,
    action: entry.action,
    event: entry.event,
    resource: resourceType === null ? null : { type: resourceType, id: resourceId, name: resourceName },
    request_id: entry.requestId,
    address: entry.address,
    status: entry.status,
    error_code: entry.errorCode,
    times: entry.times,
    created_at: naiveUtc(entry.createdAt),
    ended_at: naiveUtcOrNull(entry.endedAt),
  };
}

/** Who has changed what. */
export const auditRoutes = [
  defineRoute({
    method: "GET",
    path: "/audit",
    operation: "ListAudit",
    action: "opencbr:audit:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema([...Object.values(texts), ...others]) },
    async handler({ query }, caller, context) {
      const asked = page(query, { max: 1000 });
      const { items, count } = await listAudit(context, caller, readFilter(query), asked);
      return { body: { audit: items.map(renderEntry), count, limit: asked.limit, offset: asked.offset } };
    },
  }),
];
