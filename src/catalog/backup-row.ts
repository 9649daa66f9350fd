import type { Backup } from "#model/backup.ts";
import { createCodec } from "./codec.ts";
import type { Schema } from "./schema.ts";

export const backups = createCodec<Backup>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  name: "plain",
  description: "plain",
  status: "plain",
  imageType: "plain",
  vaultId: "plain",
  checkpointId: "plain",
  parentId: "plain",
  baseId: "plain",
  chainId: "plain",
  resourceId: "plain",
  resourceName: "plain",
  resourceType: "plain",
  resourceSizeGib: "plain",
  resourceAz: "plain",
  storeZone: "plain",
  nodeId: "plain",
  taskId: "plain",
  autoTrigger: "flag",
  incrementalRequested: "flag",
  incremental: "flag",
  bootable: "flag",
  systemDisk: "flag",
  containSystemDisk: "flag",
  encryption: "json",
  encrypted: "flag",
  architecture: "plain",
  volumeType: "plain",
  volumeMetadata: "json",
  snapshotId: "plain",
  metadata: "json",
  progress: "plain",
  failReason: "plain",
  statistics: "json",
  rootKey: "plain",
  createdAt: "plain",
  updatedAt: "plain",
  protectedAt: "plain",
  expiredAt: "plain",
  viaCloudbackups: "flag",
});

type BackupPatch = Partial<Omit<Schema["backups"], "seq">>;

/** Columns of the given fields, `stored_bytes` with the statistics that it repeats. */
export function backupPatch(patch: Partial<Backup>): BackupPatch {
  const columns: BackupPatch = backups.toPatch(patch);
  if (patch.statistics !== undefined) columns.stored_bytes = patch.statistics?.storedBytes ?? 0;
  return columns;
}
