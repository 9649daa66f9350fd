import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Task, TaskStatus, TaskType } from "#model/task.ts";
import type { Context } from "#services/context.ts";
import { showTask } from "#services/tasks/showTask.ts";
import { naiveUtc } from "#model/timestamps.ts";
import type { Caller } from "#model/caller.ts";
import { paramsSchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";

/** Only the first is published; the others follow its form. */
const jobTypes: Partial<Record<TaskType, string>> = { backup: "bksCreateBackup", restore: "bksRestoreBackup", delete: "bksDeleteBackup" };
const jobStatuses: Readonly<Record<TaskStatus, string>> = {
  waiting: "INIT",
  running: "RUNNING",
  success: "SUCCESS",
  failed: "FAIL",
  skipped: "FAIL",
  timeout: "FAIL",
};

/** Milliseconds and a `Z`, unlike everywhere else. */
const jobTime = (us: number | null): string | null => (us === null ? null : `${naiveUtc(us).slice(0, 23)}Z`);

/** A task as VBS shows a job; every value of `entities` is a text. */
export function renderJob(task: Task, entities: Readonly<Record<string, string>>) {
  const failed = jobStatuses[task.status] === "FAIL";
  return {
    job_id: task.id,
    job_type: jobTypes[task.type] ?? task.type,
    status: jobStatuses[task.status],
    begin_time: jobTime(task.startedAt ?? task.createdAt),
    end_time: jobTime(task.endedAt),
    error_code: failed ? task.errorCode : null,
    fail_reason: failed ? task.errorMessage : null,
    entities,
  };
}

/** What the job is about. The snapshot and the disk's name are those of the backup, while it exists. */
async function entitiesOf(context: Context, task: Task): Promise<Record<string, string>> {
  const entities: Record<string, string> = {};
  if (task.backupId !== null) entities["backup_id"] = task.backupId;
  if (task.type === "backup" && task.resourceName !== null) entities["bks_create_volume_name"] = task.resourceName;
  if (task.resourceId !== null) entities["volume_id"] = task.resourceId;
  const backup = task.backupId === null ? undefined : await context.catalog.backups.get(task.projectId, task.backupId);
  if (backup?.snapshotId) entities["snapshot_id"] = backup.snapshotId;
  return entities;
}

/** Served at `v1`, beside the `v2` of everything else: clients derive its URL by that replacement. */
export const jobRoutes = [
  defineRoute({
    method: "GET",
    path: "/jobs/:job_id",
    operation: "ShowJob",
    action: "volume:jobs:get",
    successStatus: 200,
    ownErrors: true,
    schema: { params: paramsSchema("project_id", "job_id") },
    async handler({ params }, caller: Caller, context) {
      const id = params["job_id"] ?? "";
      if (!isUuid(id)) throw new DomainError("taskNotFound", `no job ${JSON.stringify(id.slice(0, 64))}`);
      const task = await showTask(context, caller, { taskId: id });
      return { body: renderJob(task, await entitiesOf(context, task)) };
    },
  }),
];
