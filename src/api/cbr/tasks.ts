import type { TaskFilter } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { TaskStatus, TaskType } from "#model/task.ts";
import { cancelTask } from "#services/tasks/cancelTask.ts";
import { listTasks } from "#services/tasks/listTasks.ts";
import { showTask } from "#services/tasks/showTask.ts";
import { defineRoute } from "../http/route.ts";
import { instant, one, page, type Query } from "../query.ts";
import { renderTask } from "./render-task.ts";
import { paramsSchema, querySchema } from "./schemas.ts";

const types: Readonly<Record<string, readonly TaskType[]>> = {
  backup: ["backup"],
  restore: ["restore"],
  delete: ["delete"],
  remove_resource: ["remove_resource"],
  vault_delete: ["vault_delete"],
  check: ["check"],
  collect: ["collect"],
  // Both ends of it.
  replication: ["replication", "replica"],
  sync: ["sync"],
};
const states = ["waiting", "running", "success", "failed", "skipped", "timeout"] as const satisfies readonly TaskStatus[];

/** The filter of a list, or undefined when it can match nothing. */
function readFilter(query: Query): TaskFilter | undefined {
  const filter: TaskFilter = {};
  const type = one(query, "operation_type");
  const status = one(query, "status");
  if (type !== undefined) {
    if (!Object.hasOwn(types, type)) return undefined;
    filter.types = types[type]!;
  }
  if (status !== undefined) {
    const known = states.find((word) => word === status);
    if (known === undefined) return undefined;
    filter.status = known;
  }
  const texts = {
    providerId: "provider_id",
    resourceId: "resource_id",
    resourceName: "resource_name",
    vaultId: "vault_id",
    vaultName: "vault_name",
  } as const;
  for (const [key, name] of Object.entries(texts) as [keyof typeof texts, string][]) {
    const value = one(query, name);
    if (value !== undefined) filter[key] = value;
  }
  const enterprise = one(query, "enterprise_project_id");
  if (enterprise !== undefined && enterprise !== "all_granted_eps") filter.enterpriseProjectId = enterprise;
  const from = instant(query, "start_time");
  const to = instant(query, "end_time");
  if (from !== undefined) filter.createdFrom = from;
  if (to !== undefined) filter.createdTo = to;
  return filter;
}

/** An unknown or malformed task id is answered the same way. */
export function taskIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["operation_log_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("taskNotFound", `no task ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

const taskParams = paramsSchema("project_id", "operation_log_id");

export const taskRoutes = [
  defineRoute({
    method: "GET",
    path: "/operation-logs",
    operation: "ListOpLogs",
    action: "cbr:tasks:list",
    successStatus: 200,
    schema: {
      params: paramsSchema("project_id"),
      querystring: querySchema([
        "limit",
        "offset",
        "marker",
        "operation_type",
        "status",
        "provider_id",
        "resource_id",
        "resource_name",
        "vault_id",
        "vault_name",
        "enterprise_project_id",
        "start_time",
        "end_time",
      ]),
    },
    async handler({ query }, caller, context) {
      const wanted = page(query, { max: 1000 });
      const filter = readFilter(query);
      const listed = filter === undefined ? { items: [], count: 0 } : await listTasks(context, caller, { filter, page: wanted });
      return { body: { operation_logs: listed.items.map(renderTask), count: listed.count, limit: wanted.limit, offset: wanted.offset } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/operation-logs/:operation_log_id",
    operation: "ShowOpLog",
    action: "cbr:tasks:get",
    successStatus: 200,
    schema: { params: taskParams },
    async handler({ params }, caller, context) {
      return { body: { operation_log: renderTask(await showTask(context, caller, { taskId: taskIdOf(params) })) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/operation-logs/:operation_log_id/cancel",
    operation: "CancelOpLog",
    action: "cbr:tasks:cancel",
    successStatus: 200,
    schema: { params: taskParams },
    async handler({ params }, caller, context) {
      return { body: { operation_log: renderTask(await cancelTask(context, caller, { taskId: taskIdOf(params) })) } };
    },
  }),
];
