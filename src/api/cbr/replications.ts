import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import { copyBackup } from "#services/replication/copyBackup.ts";
import { replicateVault } from "#services/replication/replicateVault.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import { showVault } from "#services/vaults/showVault.ts";
import { defineRoute } from "../http/route.ts";
import { backupIdOf } from "./backups.ts";
import { descriptionSchema, idSchema, maybe, nameSchema, paramsSchema } from "./schemas.ts";

const destination = {
  destination_project_id: idSchema,
  destination_region: Type.String({ maxLength: 255 }),
  destination_vault_id: idSchema,
  enable_acceleration: maybe(Type.Boolean()),
};
const copyBackupBody = Type.Object({ replicate: Type.Object({ ...destination, name: maybe(nameSchema), description: maybe(descriptionSchema) }) });
const copyCheckpointBody = Type.Object({ replicate: Type.Object({ ...destination, vault_id: idSchema, auto_trigger: maybe(Type.Boolean()) }) });

/** As CBR says it to accounts without the feature: there is no faster path here that could be paid for. */
function refuseAcceleration(wanted: boolean | null | undefined): void {
  if (wanted === true)
    throw new DomainError("invalidRequest", "replicate.enable_acceleration: invalid key enable_acceleration", {
      field: "replicate.enable_acceleration",
    });
}

export const replicationRoutes = [
  defineRoute({
    method: "POST",
    path: "/backups/:backup_id/replicate",
    operation: "CopyBackup",
    action: "cbr:backups:replicate",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "backup_id"), body: copyBackupBody },
    async handler({ params, body }, caller, context) {
      const { replicate } = body;
      const backupId = backupIdOf(params);
      refuseAcceleration(replicate.enable_acceleration);
      const { backup } = await showBackup(context, caller, { backupId });
      const record = await copyBackup(context, caller, {
        backupId,
        destinationRegion: replicate.destination_region,
        destinationProjectId: replicate.destination_project_id,
        destinationVaultId: replicate.destination_vault_id,
        ...(replicate.name ? { name: replicate.name } : {}),
        ...(typeof replicate.description === "string" ? { description: replicate.description } : {}),
      });
      return {
        body: {
          replication: {
            backup_id: backupId,
            destination_project_id: record.destinationProjectId,
            destination_region: record.destinationRegion,
            destination_vault_id: record.destinationVaultId,
            project_id: record.sourceProjectId,
            provider_id: providerIds[objectTypeOf[backup.resourceType]],
            replication_record_id: record.id,
            source_region: record.sourceRegion,
          },
        },
      };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/checkpoints/replicate",
    operation: "CopyCheckpoint",
    action: "cbr:vaults:replicate",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: copyCheckpointBody },
    async handler({ body }, caller, context) {
      const { replicate } = body;
      refuseAcceleration(replicate.enable_acceleration);
      const vaultId = replicate.vault_id;
      const { vault } = await showVault(context, caller, { vaultId });
      const records = await replicateVault(context, caller, {
        vaultId,
        destinationRegion: replicate.destination_region,
        destinationProjectId: replicate.destination_project_id,
        destinationVaultId: replicate.destination_vault_id,
        autoTrigger: replicate.auto_trigger ?? false,
      });
      return {
        body: {
          replication: {
            backups: records.map((record) => ({ backup_id: record.sourceBackupId, replication_record_id: record.id })),
            destination_project_id: replicate.destination_project_id,
            destination_region: replicate.destination_region,
            destination_vault_id: replicate.destination_vault_id,
            project_id: caller.projectId,
            provider_id: providerIds[vault.objectType],
            source_region: context.settings.region,
            vault_id: vaultId,
          },
        },
      };
    },
  }),
];
