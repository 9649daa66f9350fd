import { Type } from "@sinclair/typebox";
import { naiveUtc } from "#model/timestamps.ts";
import { createCollection } from "#services/collect/createCollection.ts";
import { listDeletedBackups } from "#services/collect/listDeletedBackups.ts";
import { planCollection } from "#services/collect/planCollection.ts";
import { undeleteBackup } from "#services/collect/undeleteBackup.ts";
import { backupIdOf } from "../cbr/backups.ts";
import { renderTask } from "../cbr/render-task.ts";
import { maybe, paramsSchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";

const body = Type.Object({
  /** Whether to go on however much is not needed any more without a deletion that explains it. */
  collection: Type.Object({ force: maybe(Type.Boolean()) }, { additionalProperties: false }),
});
/** Actions that an answer lists; all are counted. */
const listed = 1000;

function renderPlan(report: Awaited<ReturnType<typeof planCollection>>) {
  const plan = report?.plan;
  const actions = plan?.actions ?? [];
  return {
    roots: report?.rootCount ?? 0,
    pack_bytes: plan?.packBytes ?? 0,
    live_bytes: plan?.liveBytes ?? 0,
    condemn_bytes: plan?.condemnBytes ?? 0,
    unexplained_bytes: plan?.unexplainedBytes ?? 0,
    delete_bytes: plan?.deleteBytes ?? 0,
    compact_bytes: plan?.compactBytes ?? 0,
    stopped: plan?.stopped ?? null,
    action_count: actions.length,
    actions: actions.slice(0, listed).map((action) => ({
      kind: action.kind,
      object: action.kind === "purge" ? action.backupId : action.packId,
      bytes: action.bytes,
      reason: action.reason,
    })),
    damaged_backups: (report?.damaged ?? []).map(({ backupId, reason }) => ({ backup_id: backupId, reason })),
  };
}

/** Taking away what no backup needs any more. */
export const collectRoutes = [
  defineRoute({
    method: "POST",
    path: "/collections",
    operation: "CreateCollection",
    action: "opencbr:admin:collect",
    successStatus: 202,
    schema: { params: paramsSchema("project_id"), body },
    async handler({ body: { collection } }, caller, context) {
      return { body: { operation_log: renderTask(await createCollection(context, caller, { force: collection.force ?? false })) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/collections/plan",
    operation: "PlanCollection",
    action: "opencbr:admin:collect",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body },
    async handler({ body: { collection } }, caller, context) {
      return { body: { plan: renderPlan(await planCollection(context, caller, { force: collection.force ?? false })) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/deleted-backups",
    operation: "ListDeletedBackups",
    action: "opencbr:backups:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    async handler(_request, caller, context) {
      const deleted = await listDeletedBackups(context, caller);
      return {
        body: {
          deleted_backups: deleted.map(({ backupId, deletedAt, keptUntil }) => ({
            id: backupId,
            deleted_at: naiveUtc(deletedAt),
            kept_until: naiveUtc(keptUntil),
          })),
        },
      };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/deleted-backups/:backup_id/undelete",
    operation: "UndeleteBackup",
    action: "opencbr:backups:undelete",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "backup_id") },
    async handler({ params }, caller, context) {
      return { body: { backups: (await undeleteBackup(context, caller, { backupId: backupIdOf(params) })).map((id) => ({ id })) } };
    },
  }),
];
