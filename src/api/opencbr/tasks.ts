import { cancelTask } from "#services/tasks/cancelTask.ts";
import { taskIdOf } from "../cbr/tasks.ts";
import { renderTask } from "../cbr/render-task.ts";
import { paramsSchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";

/** The same as CBR's `operation-logs/{id}/cancel`, where our other extensions are. */
export const taskRoutes = [
  defineRoute({
    method: "POST",
    path: "/tasks/:operation_log_id/cancel",
    operation: "CancelTask",
    action: "cbr:tasks:cancel",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "operation_log_id") },
    async handler({ params }, caller, context) {
      return { body: { operation_log: renderTask(await cancelTask(context, caller, { taskId: taskIdOf(params) })) } };
    },
  }),
];
