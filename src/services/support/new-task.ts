import type { ProjectId } from "#model/ids.ts";
import type { Task, TaskType } from "#model/task.ts";
import type { Context } from "../context.ts";

type Given = Partial<Omit<Task, "projectId" | "type">> & { projectId: ProjectId; type: TaskType };

/** A task that waits to be claimed. */
export function newTask(context: Context, given: Given): Task {
  const now = context.clock.nowUs();
  return {
    id: context.random.uuid(),
    status: "waiting",
    vaultId: null,
    vaultName: null,
    checkpointId: null,
    policyId: null,
    providerId: null,
    backupId: null,
    backupName: null,
    resourceId: null,
    resourceName: null,
    resourceType: null,
    input: {},
    result: {},
    progress: { phase: "waiting", bytesDone: 0, bytesTotal: null, rate: 0 },
    requestId: null,
    errorCode: "",
    errorMessage: "",
    cancelRequested: false,
    fencingToken: 0,
    leaseOwner: null,
    leaseExpiresAt: null,
    createdAt: now,
    startedAt: null,
    updatedAt: now,
    endedAt: null,
    ...given,
  };
}
