import type { Backup } from "#model/backup.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { BackupView } from "#catalog/tables.ts";

/** `extend_info` of a CBR backup; every key is always there, null where it does not apply (docs/compatibility/backup-resource.md). */
export interface CbrExtendInfo {
  auto_trigger: boolean;
  bootable: boolean | null;
  system_disk: boolean;
  contain_system_disk: boolean | null;
  encrypted: boolean | null;
  incremental: boolean;
  snapshot_id: string | null;
  support_lld: boolean | null;
  supported_restore_mode: "na" | "backup" | "snapshot" | null;
  os_images_data: { image_id: string }[];
  is_multi_az: boolean;
  app_consistency: null;
  architecture: string | null;
  progress: number | null;
}

/** CBR v3's `BackupResp`. Sizes in GiB, times in naive UTC with six digits. */
export interface CbrBackup {
  id: string;
  name: string;
  description: string | null;
  status: string;
  image_type: string;
  version: number;
  incremental: boolean;
  resource_id: string;
  resource_name: string;
  resource_type: string;
  resource_size: number;
  resource_az: string | null;
  provider_id: string;
  project_id: string;
  enterprise_project_id: string;
  vault_id: string;
  checkpoint_id: string;
  parent_id: string | null;
  created_at: string;
  updated_at: string | null;
  protected_at: string | null;
  expired_at: string | null;
  replication_records: CbrReplicationRecord[];
  extend_info: CbrExtendInfo;
  children: CbrBackup[];
}

/** CBR v3's `ReplicationRecordGet`. */
export type CbrReplicationRecord = ReturnType<typeof renderReplication>;

/** `extra_info` has the destination's vault under both spellings that clients read. */
export function renderReplication(record: ReplicationRecord) {
  return {
    id: record.id,
    status: record.status,
    created_at: naiveUtc(record.createdAt),
    source_region: record.sourceRegion,
    source_project_id: record.sourceProjectId,
    source_backup_id: record.sourceBackupId,
    source_checkpoint_id: record.sourceCheckpointId,
    destination_region: record.destinationRegion,
    destination_project_id: record.destinationProjectId,
    destination_vault_id: record.destinationVaultId,
    destination_backup_id: record.destinationBackupId,
    destination_checkpoint_id: record.destinationCheckpointId,
    vault_id: record.sourceVaultId,
    extra_info: {
      progress: record.progress,
      fail_code: record.failCode,
      fail_reason: record.failReason,
      auto_trigger: record.autoTrigger,
      destination_vault_id: record.destinationVaultId,
      destinatio_vault_id: record.destinationVaultId,
    },
  };
}

const readable = new Set<Backup["status"]>(["available", "waiting_restore", "restoring"]);

/** Whether any range of the backup can be read at once, without restoring it: its root object, or that of every child, is in the store. */
export function supportsLazyLoading(view: BackupView): boolean {
  const { backup, children } = view;
  if (!readable.has(backup.status)) return false;
  if (backup.resourceType !== "OS::Nova::Server") return backup.rootKey !== null;
  return children.length > 0 && children.every((child) => child.rootKey !== null);
}

/** How a server backup can be used in place; the other kinds say null. */
function restoreMode(view: BackupView): CbrExtendInfo["supported_restore_mode"] {
  if (view.backup.resourceType !== "OS::Nova::Server") return null;
  return view.backup.status === "available" && view.resourceExists ? "backup" : "na";
}

function renderExtendInfo(view: BackupView): CbrExtendInfo {
  const { backup } = view;
  const isServer = backup.resourceType === "OS::Nova::Server";
  const isChild = backup.parentId !== null;
  return {
    auto_trigger: backup.autoTrigger,
    bootable: isServer ? null : backup.bootable,
    system_disk: backup.systemDisk ?? false,
    contain_system_disk: isServer ? (backup.containSystemDisk ?? false) : null,
    encrypted: isServer ? null : (backup.encrypted ?? false),
    incremental: backup.incremental,
    snapshot_id: backup.snapshotId,
    support_lld: isChild ? null : supportsLazyLoading(view),
    supported_restore_mode: isChild ? null : restoreMode(view),
    os_images_data: [],
    is_multi_az: false,
    app_consistency: null,
    architecture: isServer ? backup.architecture : null,
    progress: isServer || isChild ? null : backup.progress,
  };
}

/**
 * A backup as CBR v3 shows it (`ShowBackup`, items of `ListBackups`).
 * A child is rendered with the same keys; it carries the provider id of the server that it is part of.
 */
export function renderBackup(view: BackupView, options: { withChildren: boolean; withReplications?: boolean } = { withChildren: true }): CbrBackup {
  const { backup } = view;
  const isChild = backup.parentId !== null;
  return {
    id: backup.id,
    name: backup.name ?? "",
    description: backup.description,
    status: backup.status,
    image_type: backup.imageType,
    version: 3,
    incremental: backup.incremental,
    resource_id: backup.resourceId,
    resource_name: backup.resourceName,
    resource_type: backup.resourceType,
    resource_size: backup.resourceSizeGib,
    resource_az: isChild ? null : backup.resourceAz,
    provider_id: isChild ? providerIds.server : providerIds[objectTypeOf[backup.resourceType]],
    project_id: backup.projectId,
    enterprise_project_id: view.enterpriseProjectId,
    vault_id: backup.vaultId,
    checkpoint_id: backup.checkpointId,
    parent_id: backup.parentId,
    created_at: naiveUtc(backup.createdAt),
    updated_at: naiveUtcOrNull(backup.updatedAt),
    protected_at: naiveUtcOrNull(backup.protectedAt),
    expired_at: naiveUtcOrNull(backup.expiredAt),
    replication_records: options.withReplications === false ? [] : view.replications.map(renderReplication),
    extend_info: renderExtendInfo(view),
    children: options.withChildren ? view.children.map((child) => renderBackup(viewOfChild(view, child))) : [],
  };
}

/** A child as a view of its own, with what it shares with its parent. */
function viewOfChild(parent: BackupView, child: Backup): BackupView {
  return {
    backup: child,
    children: [],
    hasDependents: false,
    chainStoredBytes: 0,
    enterpriseProjectId: parent.enterpriseProjectId,
    resourceExists: parent.resourceExists,
    replications: [],
  };
}
