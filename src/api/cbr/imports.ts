import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { importBackup } from "#services/imports/importBackup.ts";
import { importCheckpoint } from "#services/imports/importCheckpoint.ts";
import { defineRoute } from "../http/route.ts";
import { idSchema, nameSchema, paramsSchema } from "./schemas.ts";

const backupBody = Type.Object({
  sync: Type.Array(
    Type.Object({
      backup_id: idSchema,
      backup_name: nameSchema,
      bucket_name: Type.String({ minLength: 1, maxLength: 63 }),
      created_at: Type.Integer({ minimum: 0, description: "Seconds since 1970. Of no effect: the time sealed with the backup counts." }),
      image_path: Type.String({ minLength: 1, maxLength: 255, description: "The id of the project that it belongs to in that store" }),
      resource_id: idSchema,
      resource_name: Type.String({ maxLength: 255 }),
      resource_type: Type.String({ minLength: 1, maxLength: 64 }),
    }),
    { minItems: 1, maxItems: 50 },
  ),
});

/** `PROJECT`, or the key of the root object: `t/PROJECT/roots/BACKUP`. */
function tenantOf(path: string, backupId: string, field: string): string {
  const found = /^\/?(?:t\/)?([0-9a-f]{32})(?:\/(?:roots\/)?([0-9a-f-]{36}))?\/?$/.exec(path);
  if (found?.[1] === undefined || (found[2] !== undefined && found[2] !== backupId))
    throw new DomainError("invalidRequest", `${field}: must be the id of the project that the backup belongs to in its store`, { field });
  return found[1];
}

export const importRoutes = [
  defineRoute({
    method: "POST",
    path: "/backups/sync",
    operation: "ImportBackup",
    action: "cbr:backups:sync",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: backupBody },
    async handler({ body }, caller, context) {
      const items = body.sync.map((item, index) => {
        const field = `sync[${index}]`;
        if (!isUuid(item.backup_id))
          throw new DomainError("invalidRequest", `${field}.backup_id: is not a backup's id`, { field: `${field}.backup_id` });
        return {
          backupId: item.backup_id,
          backupName: item.backup_name,
          store: item.bucket_name,
          tenant: tenantOf(item.image_path, item.backup_id, `${field}.image_path`),
          resourceId: item.resource_id,
          resourceName: item.resource_name,
          resourceType: item.resource_type,
        };
      });
      const queued = await importBackup(context, caller, items);
      return { body: { sync: queued.map(({ backupId, taskId }) => ({ backup_id: backupId, operation_log_id: taskId })) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/checkpoints/sync",
    operation: "ImportCheckpoint",
    action: "cbr:vaults:sync",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: Type.Object({ sync: Type.Object({ vault_id: idSchema, auto_trigger: Type.Boolean() }) }) },
    async handler({ body: { sync } }, caller, context) {
      if (!isUuid(sync.vault_id)) throw new DomainError("vaultNotFound", `sync.vault_id: no vault ${JSON.stringify(sync.vault_id)}`);
      const taskId = await importCheckpoint(context, caller, { vaultId: sync.vault_id });
      return { body: { sync: { operation_log_id: taskId, vault_id: sync.vault_id } } };
    },
  }),
];
