import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { deleteBackup } from "#services/backups/deleteBackup.ts";
import { restoreBackup } from "#services/backups/restoreBackup.ts";
import { countProject } from "../cinder/count-project.ts";
import { showDiskBackup } from "../cinder/disk-backup.ts";
import { maybe, nullable, paramsSchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";

/** Names that the scheduler makes start so. */
const nameSchema = Type.String({ minLength: 1, maxLength: 64, pattern: "^(?!auto)[A-Za-z0-9_-]+$" });
const tagText = (minLength: number, maxLength: number) => Type.String({ minLength, maxLength, pattern: "^[^=*<>\\\\,/|\\u0000-\\u001f]*$" });
const createBody = Type.Object({
  backup: Type.Object({
    volume_id: Type.String({ minLength: 1, maxLength: 64 }),
    snapshot_id: maybe(Type.String({ maxLength: 64 })),
    name: nameSchema,
    description: maybe(Type.String({ maxLength: 64, pattern: "^[^<>]*$" })),
    tags: maybe(Type.Array(Type.Object({ key: tagText(1, 36), value: tagText(0, 43) }), { maxItems: 10 })),
    extend_param: maybe(Type.Object({ FullBackup: maybe(Type.Union([Type.Literal("true"), Type.Literal("false")])) })),
  }),
});
const restoreBody = Type.Object({ restore: Type.Object({ volume_id: Type.String({ minLength: 1, maxLength: 64 }) }) });

/** OTC's own operations on backups: what they start is followed as a job (VBS API reference, "VBS backups"). */
export const cloudBackupRoutes = [
  defineRoute({
    method: "POST",
    path: "/cloudbackups",
    operation: "CreateCloudBackup",
    action: "volume:backups:create",
    successStatus: 200,
    ownErrors: true,
    schema: { params: paramsSchema("project_id"), body: createBody },
    async handler({ body }, caller, context) {
      const { backup: asked } = body;
      const tags = asked.tags ?? [];
      if (new Set(tags.map(({ key }) => key)).size < tags.length)
        throw new DomainError("invalidRequest", "backup.tags: the same key is given twice", { field: "backup.tags" });
      const { backup } = await createVolumeBackup(context, caller, {
        volumeId: asked.volume_id,
        name: asked.name,
        description: asked.description ?? null,
        incremental: asked.extend_param?.FullBackup === "true" ? false : "auto",
        // Unlike Block Storage this service backs up a disk that is in use without being told twice.
        force: true,
        viaCloudbackups: true,
        metadata: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
        ...(asked.snapshot_id ? { snapshotId: asked.snapshot_id } : {}),
      });
      return { body: { job_id: backup.taskId } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/cloudbackups/:backup_id",
    operation: "DeleteCloudBackup",
    action: "volume:backups:delete",
    successStatus: 200,
    ownErrors: true,
    schema: { params: paramsSchema("project_id", "backup_id"), body: Type.Optional(nullable(Type.Object({}))) },
    async handler({ params }, caller, context) {
      const { backup } = await showDiskBackup(params, caller, context);
      const { taskId } = await deleteBackup(context, caller, { backupId: backup.id });
      return { body: { job_id: taskId } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/cloudbackups/:backup_id/restore",
    operation: "RestoreCloudBackup",
    action: "volume:backups:restore",
    successStatus: 200,
    ownErrors: true,
    schema: { params: paramsSchema("project_id", "backup_id"), body: restoreBody },
    async handler({ params, body }, caller, context) {
      const { backup } = await showDiskBackup(params, caller, context);
      const { taskId } = await restoreBackup(context, caller, { backupId: backup.id, volumeId: body.restore.volume_id });
      return { body: { job_id: taskId } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/cloudbackups/quota",
    operation: "ShowCloudBackupQuota",
    action: "volume:quotaSets:get",
    successStatus: 200,
    ownErrors: true,
    schema: { params: paramsSchema("project_id") },
    async handler(_request, caller, context) {
      const used = await countProject(caller, context);
      const resources = (["backups", "backup_gigabytes"] as const).map((type) => ({ type, used: used[type], reserved: 0, quota: -1 }));
      return { body: { quotas: { resources } } };
    },
  }),
];
