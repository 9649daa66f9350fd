import type { BackupStatus } from "#model/backup.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import type { BackupView } from "#catalog/tables.ts";
import { type BlockStorageBase, type Link, resourceLinks } from "./links.ts";

/** CBR's states in Block Storage's words. */
export const blockStorageStatus: Readonly<Record<BackupStatus, string>> = {
  waiting_protect: "creating",
  protecting: "creating",
  available: "available",
  waiting_restore: "restoring",
  restoring: "restoring",
  waiting_delete: "deleting",
  deleting: "deleting",
  error: "error",
};

/** The states that a Block Storage status filter stands for; none for a word that no backup of ours can have. */
export function statusesOf(word: string): BackupStatus[] {
  return (Object.keys(blockStorageStatus) as BackupStatus[]).filter((status) => blockStorageStatus[status] === word);
}

/** Where the objects of a backup are: the key prefix that holds them, told by the key of its root object. */
export function containerOf(rootKey: string): string {
  const end = rootKey.indexOf("/roots/");
  return end === -1 ? rootKey.slice(0, Math.max(0, rootKey.lastIndexOf("/"))) : rootKey.slice(0, end);
}

/** The keys that Block Storage v3 and v2 share. Size in GiB; times in naive UTC. */
export function commonBackupKeys(view: BackupView, base: BlockStorageBase) {
  const { backup } = view;
  return {
    id: backup.id,
    status: blockStorageStatus[backup.status],
    name: backup.name,
    description: backup.description,
    links: resourceLinks(base, backup.projectId, "backups", backup.id),
    availability_zone: backup.storeZone,
    volume_id: backup.resourceId,
    fail_reason: backup.failReason,
    size: backup.resourceSizeGib,
    object_count: backup.statistics?.objectCount ?? 0,
    container: backup.rootKey === null ? null : containerOf(backup.rootKey),
    created_at: naiveUtc(backup.createdAt),
    updated_at: naiveUtcOrNull(backup.updatedAt),
    data_timestamp: naiveUtc(backup.protectedAt ?? backup.createdAt),
    snapshot_id: backup.snapshotId,
    is_incremental: backup.incremental,
    has_dependent_backups: view.hasDependents,
  };
}

export type V3Backup = ReturnType<typeof commonBackupKeys> & {
  "os-backup-project-attr:project_id"?: string;
  metadata?: Record<string, string>;
  user_id?: string;
  encryption_key_id?: string;
};

/** The N of the negotiated 3.N, and whether the request named it. */
export interface Negotiated {
  minor: number;
  explicitVersion: boolean;
}

/**
 * A disk backup as Block Storage v3 shows it: exactly the keys of the negotiated microversion, because strict clients refuse others.
 * Without a named microversion the project's id is there, as the service's own documentation of v3 shows it to the owner.
 */
export function renderBackupV3(view: BackupView, base: BlockStorageBase, { minor, explicitVersion }: Negotiated): V3Backup {
  const { backup } = view;
  const body: V3Backup = commonBackupKeys(view, base);
  if (minor >= 18 || !explicitVersion) body["os-backup-project-attr:project_id"] = backup.projectId;
  if (minor >= 43) body.metadata = backup.metadata;
  if (minor >= 56) body.user_id = backup.userId;
  if (minor >= 64 && backup.encryption !== null) body.encryption_key_id = backup.encryption.cmkId;
  return body;
}

/** What a plain list and a creation show. */
export function renderBackupSummary(view: BackupView, base: BlockStorageBase): { id: string; name: string | null; links: Link[] } {
  const { backup } = view;
  return { id: backup.id, name: backup.name, links: resourceLinks(base, backup.projectId, "backups", backup.id) };
}
