import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { createCheck } from "#services/check/createCheck.ts";
import { listDamage } from "#services/check/listDamage.ts";
import { showBackupDamage } from "#services/check/showBackupDamage.ts";
import { type Figures, showStatistics } from "#services/stats/showStatistics.ts";
import { renderDamage } from "#services/check/damage-view.ts";
import { backupIdOf } from "../cbr/backups.ts";
import { renderTask } from "../cbr/render-task.ts";
import { maybe, paramsSchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";

const checkBody = Type.Object({
  check: Type.Object(
    {
      /** Share of the stored bytes to read, percent; or how many bytes. Neither = structure only. */
      read_percent: maybe(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
      read_bytes: maybe(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    },
    { additionalProperties: false },
  ),
});

const renderFigures = (figures: Figures) => ({
  backup_count: figures.backupCount,
  logical_bytes: figures.logicalBytes,
  unique_bytes: figures.uniqueBytes,
  stored_bytes: figures.storedBytes,
  savings: figures.savings,
  change_rate: figures.changeRate,
});

/** Checks of the store, what they found to be damaged, and what the backups take. */
export const checkRoutes = [
  defineRoute({
    method: "POST",
    path: "/checks",
    operation: "CreateCheck",
    action: "opencbr:admin:check",
    successStatus: 202,
    schema: { params: paramsSchema("project_id"), body: checkBody },
    async handler({ body: { check } }, caller, context) {
      const { read_percent: percent, read_bytes: bytes } = check;
      if (typeof percent === "number" && typeof bytes === "number")
        throw new DomainError("invalidRequest", "check.read_bytes: give this or read_percent", { field: "check.read_bytes" });
      const readData = typeof percent === "number" ? { percent } : typeof bytes === "number" ? { bytes } : null;
      return { body: { operation_log: renderTask(await createCheck(context, caller, { readData })) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/damage",
    operation: "ListDamage",
    action: "opencbr:backups:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    handler: async (_request, caller, context) => ({ body: { damaged_backups: (await listDamage(context, caller)).map(renderDamage) } }),
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id/damage",
    operation: "ShowBackupDamage",
    action: "opencbr:backups:get",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "backup_id") },
    async handler({ params }, caller, context) {
      const damage = await showBackupDamage(context, caller, { backupId: backupIdOf(params) });
      return { body: { damage: damage.map(renderDamage) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/statistics",
    operation: "ShowStatistics",
    action: "opencbr:statistics:get",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    async handler(_request, caller, context) {
      const { project, vaults, resources } = await showStatistics(context, caller);
      return {
        body: {
          project: { ...renderFigures(project), store_bytes: project.storeBytes },
          vaults: vaults.map((each) => ({ vault_id: each.vaultId, name: each.name, ...renderFigures(each) })),
          resources: resources.map((each) => ({ resource_id: each.resourceId, name: each.name, ...renderFigures(each) })),
        },
      };
    },
  }),
];
