import { type Static, Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { createCheckpoint } from "#services/checkpoints/createCheckpoint.ts";
import type { CreateCheckpointInput } from "#services/checkpoints/createCheckpoint.ts";
import { showCheckpoint } from "#services/checkpoints/showCheckpoint.ts";
import { defineRoute } from "../http/route.ts";
import { renderCheckpoint } from "./render-checkpoint.ts";
import { descriptionSchema, idSchema, maybe, nameSchema, paramsSchema, resourceSchema } from "./schemas.ts";

const createBody = Type.Object({
  checkpoint: Type.Object({
    vault_id: idSchema,
    parameters: maybe(
      Type.Object({
        auto_trigger: maybe(Type.Boolean()),
        description: maybe(descriptionSchema),
        incremental: maybe(Type.Boolean()),
        name: maybe(nameSchema),
        resources: maybe(Type.Array(idSchema, { maxItems: 256 })),
        resource_details: maybe(Type.Array(resourceSchema, { maxItems: 256 })),
        retention_duration: maybe(
          Type.Integer({ minimum: -1, maximum: 99_999, description: "Days that the backups are kept; -1 or absent: until deleted. An extension." }),
        ),
      }),
    ),
  }),
});

function readDetail({ id, type, extra_info: extra }: Static<typeof resourceSchema>): NonNullable<CreateCheckpointInput["resourceDetails"]>[number] {
  return {
    id,
    type,
    ...(extra?.exclude_volumes ? { excludeVolumes: extra.exclude_volumes } : {}),
    ...(extra?.include_volumes && extra.include_volumes.length > 0 ? { includeVolumes: extra.include_volumes.map((volume) => volume.id) } : {}),
  };
}

export const checkpointRoutes = [
  defineRoute({
    method: "POST",
    path: "/checkpoints",
    operation: "CreateCheckpoint",
    action: "cbr:vaults:backup",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: createBody },
    async handler({ body }, caller, context) {
      const { vault_id: vaultId, parameters } = body.checkpoint;
      if (!isUuid(vaultId))
        throw new DomainError("vaultNotFound", `checkpoint.vault_id: no vault ${JSON.stringify(vaultId)}`, { field: "checkpoint.vault_id" });
      const days = parameters?.retention_duration ?? -1;
      if (days === 0)
        throw new DomainError("invalidRequest", "checkpoint.parameters.retention_duration: must be -1 or at least 1 day", {
          field: "checkpoint.parameters.retention_duration",
        });
      const view = await createCheckpoint(context, caller, {
        vaultId,
        description: parameters?.description ?? null,
        incremental: parameters?.incremental ?? true,
        autoTrigger: parameters?.auto_trigger ?? false,
        ...(parameters?.name ? { name: parameters.name } : {}),
        ...(parameters?.resources && parameters.resources.length > 0 ? { resourceIds: parameters.resources } : {}),
        ...(parameters?.resource_details ? { resourceDetails: parameters.resource_details.map(readDetail) } : {}),
        ...(days > 0 ? { retentionDays: days } : {}),
      });
      return { body: { checkpoint: renderCheckpoint(view) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/checkpoints/:checkpoint_id",
    operation: "ShowCheckpoint",
    action: "cbr:vaults:get",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "checkpoint_id") },
    async handler({ params }, caller, context) {
      const checkpointId = params["checkpoint_id"] ?? "";
      if (!isUuid(checkpointId)) throw new DomainError("checkpointNotFound", `no restore point ${JSON.stringify(checkpointId.slice(0, 64))}`);
      return { body: { checkpoint: renderCheckpoint(await showCheckpoint(context, caller, { checkpointId })) } };
    },
  }),
];
