import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { rolesOf } from "#services/context.ts";
import { deleteBackup } from "#services/backups/deleteBackup.ts";
import { resetBackupStatus } from "#services/backups/resetBackupStatus.ts";
import { updateVolumeBackup } from "#services/backups/updateVolumeBackup.ts";
import { maybe, paramsSchema } from "../cbr/schemas.ts";
import { type BlockStorageOptions, blockStorageRoute, type Version } from "./block-storage.ts";
import { showDiskBackup } from "./disk-backup.ts";
import { renderBackupSummary } from "./render-backup.ts";
import { metadataSchema } from "./schemas.ts";

const strict = { additionalProperties: false };
const text = Type.String({ maxLength: 255 });
const updateBody = Type.Object(
  { backup: Type.Object({ name: maybe(text), description: maybe(text), metadata: maybe(metadataSchema) }, strict) },
  strict,
);
const actionBody = Type.Object(
  {
    "os-reset_status": Type.Optional(Type.Object({ status: Type.String({ maxLength: 32 }) }, strict)),
    "os-force_delete": Type.Optional(maybe(Type.Object({}))),
  },
  strict,
);

/** Changing a backup's words, and what administrators may do to it. */
export function backupActionRoutes(version: Version, options: BlockStorageOptions) {
  const family = version === "v2" ? "V2" : "V3";
  const params = paramsSchema("project_id", "backup_id");
  return [
    blockStorageRoute(version, {
      method: "PUT",
      path: "/backups/:backup_id",
      operation: `UpdateBackup${family}`,
      action: "volume:backups:update",
      successStatus: 200,
      schema: { params, body: updateBody },
      async handler(request, caller, context) {
        const { name, description, metadata } = request.body.backup;
        if (version === "v3" && request.minor < 9) throw new DomainError("notFound", "Changing a backup needs microversion 3.9.");
        if (metadata && version === "v3" && request.minor < 43)
          throw new DomainError("invalidRequest", "backup.metadata: needs microversion 3.43", { field: "backup.metadata" });
        const { backup } = await showDiskBackup(request.params, caller, context);
        const view = await updateVolumeBackup(context, caller, {
          backupId: backup.id,
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(metadata ? { metadata } : {}),
        });
        const summary = renderBackupSummary(view, request.base);
        return { body: { backup: request.minor >= 43 ? { ...summary, metadata: view.backup.metadata } : summary } };
      },
    }),
    blockStorageRoute(version, {
      method: "POST",
      path: "/backups/:backup_id/action",
      operation: `BackupAction${family}`,
      action: "volume:backups:action",
      successStatus: 202,
      schema: { params, body: actionBody },
      async handler(request, caller, context) {
        const names = Object.keys(request.body);
        if (names.length !== 1)
          throw new DomainError("invalidRequest", "action: give either os-reset_status or os-force_delete", { field: "action" });
        if (!rolesOf(context).isAllowed(caller.roles, "volume:admin:backupActions"))
          throw new DomainError("forbidden", `${names[0]}: is for administrators`);
        const { backup } = await showDiskBackup(request.params, caller, context);
        const reset = request.body["os-reset_status"];
        if (reset) await resetBackupStatus(context, caller, { backupId: backup.id, status: reset.status });
        else await deleteBackup(context, caller, { backupId: backup.id, refuseDependents: options.refuseDependentDeletes });
        return {};
      },
    }),
  ];
}
