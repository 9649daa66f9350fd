import { providerIds } from "#model/provider.ts";
import { naiveUtc } from "#model/timestamps.ts";
import type { CheckpointView } from "#services/views.ts";
import { wireMb } from "./render-vault.ts";

/** A restore point as CBR v3 shows it. Figures of its resources are strings (GiB, MiB, count): typed clients decode nothing else. */
export function renderCheckpoint(view: CheckpointView) {
  const { checkpoint, vault } = view;
  return {
    id: checkpoint.id,
    project_id: checkpoint.projectId,
    status: view.status,
    created_at: naiveUtc(checkpoint.createdAt),
    extra_info: {
      name: checkpoint.name,
      description: checkpoint.description ?? "",
      retention_duration: checkpoint.retentionDays ?? -1,
    },
    vault: {
      id: vault.id,
      name: vault.name,
      provider_id: providerIds[vault.objectType],
      resources: view.resources.map((resource) => ({
        id: resource.id,
        name: resource.name,
        type: resource.type,
        protect_status: resource.protectStatus,
        resource_size: String(resource.sizeGib),
        backup_size: String(wireMb(resource.backupSizeBytes)),
        backup_count: String(resource.backupCount),
        extra_info: "",
      })),
      skipped_resources: checkpoint.skipped.map(({ id, type, name, code, reason }) => ({ id, type, name, code, reason })),
    },
  };
}
