import { providerIds } from "#model/provider.ts";
import { naiveUtc } from "#model/timestamps.ts";
import type { Vault } from "#model/vault.ts";
import type { VaultResourceView, VaultView } from "#services/views.ts";

/** Bytes as the wire counts megabytes: MiB, rounded up, so that nothing stored shows as nothing. */
export const wireMb = (bytes: number): number => Math.ceil(bytes / 1_048_576);

/** The published specification code, told by what the vault stores and how. */
export function specCode(vault: Pick<Vault, "protectType" | "objectType" | "consistentLevel">): string {
  if (vault.protectType === "replication") return "vault.replication.server.normal";
  if (vault.objectType === "disk") return "vault.backup.volume.normal";
  if (vault.objectType === "turbo") return "vault.backup.turbo.normal";
  if (vault.objectType === "vmware" || vault.objectType === "file") return "vault.hybrid.server.normal";
  return vault.consistentLevel === "app_consistent" ? "vault.backup.database.normal" : "vault.backup.server.normal";
}

function renderVaultResource(resource: VaultResourceView) {
  return {
    id: resource.id,
    name: resource.name,
    type: resource.type,
    size: resource.sizeGib,
    protect_status: resource.protectStatus,
    backup_size: wireMb(resource.backupSizeBytes),
    backup_count: resource.backupCount,
    suspended: resource.suspended,
    extra_info: resource.type === "OS::Nova::Server" ? { exclude_volumes: resource.excludeVolumes } : {},
  };
}

/** A vault as CBR v3 shows it; the answer to its creation is the same as a following query. Sizes in GiB, `used` and `backup_size` in MiB. */
export function renderVault(view: VaultView) {
  const { vault, usage } = view;
  return {
    id: vault.id,
    name: vault.name,
    description: vault.description,
    provider_id: providerIds[vault.objectType],
    project_id: vault.projectId,
    enterprise_project_id: vault.enterpriseProjectId,
    user_id: vault.userId,
    created_at: naiveUtc(vault.createdAt),
    availability_zone: vault.availabilityZone,
    backup_name_prefix: vault.backupNamePrefix,
    auto_bind: vault.autoBind,
    auto_expand: vault.autoExpand,
    bind_rules: vault.bindRules,
    smn_notify: vault.smnNotify,
    threshold: vault.threshold,
    locked: vault.locked,
    sys_lock_source_service: "",
    tags: vault.tags,
    billing: {
      allocated: usage.allocatedGib,
      used: wireMb(usage.usedBytes),
      size: vault.sizeGib,
      status: vault.status,
      object_type: vault.objectType,
      protect_type: vault.protectType,
      cloud_type: vault.cloudType,
      consistent_level: vault.consistentLevel,
      charging_mode: vault.chargingMode,
      spec_code: specCode(vault),
      is_multi_az: vault.isMultiAz,
      order_id: null,
      product_id: null,
      storage_unit: null,
      frozen_scene: null,
    },
    resources: view.resources.map(renderVaultResource),
  };
}
