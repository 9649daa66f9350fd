import type { Tables } from "#catalog/tables.ts";
import type { Task } from "#model/task.ts";
import { operationOf, taskIsOver } from "#model/task.ts";
import { naiveUtcOrNull } from "#model/timestamps.ts";
import { derivedId, noteEvent } from "./noteEvent.ts";

const zulu = (us: number | null): string | null => (us === null ? null : `${naiveUtcOrNull(us)}Z`);
const named = (id: string | null, name: string | null) => (id === null && name === null ? null : { id, name });

/** Notes that a task has ended, in the transaction that ended it: `task` is as it is then. One that is not over is no event. */
export async function noteTaskEnd(tables: Tables, task: Task): Promise<void> {
  const { status } = task;
  if (!taskIsOver(status)) return;
  await noteEvent(tables, {
    id: derivedId("task", task.id, status),
    projectId: task.projectId,
    type: `task.${status as "success" | "failed" | "skipped" | "timeout"}`,
    createdAt: task.endedAt ?? task.updatedAt,
    data: {
      task: {
        id: task.id,
        operation_type: operationOf(task.type),
        status,
        vault: named(task.vaultId, task.vaultName),
        resource: task.resourceId === null ? null : { id: task.resourceId, name: task.resourceName, type: task.resourceType },
        backup: named(task.backupId, task.backupName),
        checkpoint_id: task.checkpointId,
        policy_id: task.policyId,
        request_id: task.requestId,
        error: task.errorCode === "" ? null : { code: task.errorCode, message: task.errorMessage },
        created_at: zulu(task.createdAt),
        started_at: zulu(task.startedAt),
        ended_at: zulu(task.endedAt),
      },
    },
  });
}
