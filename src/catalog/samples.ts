import { randomUUID } from "node:crypto";
import type { Backup, BackupStatistics } from "#model/backup.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import type { OrganizationPolicy, Policy } from "#model/policy.ts";
import type { Member } from "#model/member.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Server, Snapshot, Volume } from "#model/resource.ts";
import type { Task } from "#model/task.ts";
import type { Vault } from "#model/vault.ts";

/** Nouns for tests and benchmarks: whole and valid, with fresh ids; `over` replaces what matters there. */

export const sampleProject = "0de0de0de0de0de0de0de0de0de0de00";
const createdAt = 1_700_000_000_123_456;

export const sampleStatistics: BackupStatistics = {
  readBytes: 1_073_741_824,
  dataBytes: 536_870_912,
  newBytes: 268_435_456,
  storedBytes: 134_217_728,
  unchangedBytes: 0,
  deduplicatedBytes: 268_435_456,
  newChunks: 256,
  objectCount: 12,
  compressed: true,
  durationMs: 2345,
};

export function sampleBackup(over: Partial<Backup> = {}): Backup {
  const id = over.id ?? randomUUID();
  return {
    id,
    projectId: sampleProject,
    userId: "user-1",
    name: "backup one",
    description: null,
    status: "available",
    imageType: "backup",
    vaultId: "vault-1",
    checkpointId: "checkpoint-1",
    parentId: null,
    baseId: null,
    chainId: id,
    resourceId: "volume-1",
    resourceName: "disk",
    resourceType: "OS::Cinder::Volume",
    resourceSizeGib: 1,
    resourceAz: "az1",
    storeZone: "az1",
    nodeId: "1d4f6c5e-0000-4000-8000-000000000001",
    taskId: null,
    autoTrigger: false,
    incrementalRequested: true,
    incremental: false,
    bootable: true,
    systemDisk: false,
    containSystemDisk: null,
    encryption: null,
    encrypted: false,
    architecture: "x86_64",
    volumeType: "SSD",
    volumeMetadata: { readonly: "False" },
    snapshotId: null,
    metadata: {},
    progress: 100,
    failReason: null,
    statistics: sampleStatistics,
    rootKey: `roots/${id}`,
    createdAt,
    updatedAt: createdAt + 5,
    protectedAt: createdAt + 3,
    expiredAt: null,
    viaCloudbackups: false,
    ...over,
  };
}

export const sampleVault = (over: Partial<Vault> = {}): Vault => ({
  id: randomUUID(),
  projectId: sampleProject,
  userId: "user-1",
  name: "vault one",
  description: null,
  enterpriseProjectId: "0",
  objectType: "disk",
  protectType: "backup",
  consistentLevel: "crash_consistent",
  cloudType: "public",
  chargingMode: "post_paid",
  isMultiAz: false,
  sizeGib: 100,
  status: "available",
  autoBind: false,
  autoExpand: false,
  smnNotify: true,
  threshold: 80,
  locked: false,
  bindRules: { tags: [{ key: "env", value: "test" }] },
  tags: [{ key: "owner", value: null }],
  availabilityZone: null,
  backupNamePrefix: null,
  implicit: false,
  createdAt,
  updatedAt: null,
  ...over,
});

export const sampleCheckpoint = (over: Partial<Checkpoint> = {}): Checkpoint => ({
  id: randomUUID(),
  projectId: sampleProject,
  vaultId: "vault-1",
  name: "checkpoint",
  description: null,
  retentionDays: 7,
  skipped: [{ id: "volume-9", type: "OS::Cinder::Volume", name: "gone", code: "BackupService.6302", reason: "not found" }],
  createdAt,
  ...over,
});

export const sampleVolume = (over: Partial<Volume> = {}): Volume => ({
  id: randomUUID(),
  projectId: sampleProject,
  userId: "user-1",
  type: "OS::Cinder::Volume",
  name: "disk",
  description: null,
  sizeGib: 10,
  availabilityZone: "az1",
  tags: [],
  status: "available",
  locator: "local:disk",
  volumeType: "SSD",
  bootable: false,
  encryption: { cmkId: "4f8c1d1e-0000-4000-8000-000000000001", volumeKey: "k".repeat(64) },
  metadata: { a: "b" },
  sourceSnapshotId: null,
  sourceVolumeId: null,
  sourceBackupId: null,
  createdAt,
  updatedAt: null,
  ...over,
});

export const sampleServer = (over: Partial<Server> = {}): Server => ({
  id: randomUUID(),
  projectId: sampleProject,
  userId: "user-1",
  type: "OS::Nova::Server",
  name: "server",
  description: "web",
  sizeGib: 30,
  availabilityZone: "az1",
  tags: [],
  status: "active",
  architecture: "x86_64",
  disks: [],
  createdAt,
  updatedAt: null,
  ...over,
});

export const sampleSnapshot = (over: Partial<Snapshot> = {}): Snapshot => ({
  id: randomUUID(),
  projectId: sampleProject,
  userId: "user-1",
  volumeId: "volume-1",
  name: "snap",
  description: null,
  status: "available",
  sizeGib: 10,
  metadata: {},
  locator: "local:snap",
  method: "copy",
  createdAt,
  updatedAt: null,
  ...over,
});

export const sampleReplication = (over: Partial<ReplicationRecord> = {}): ReplicationRecord => ({
  id: randomUUID(),
  status: "waiting_replicate",
  sourceRegion: "here",
  sourceProjectId: sampleProject,
  sourceVaultId: "vault-1",
  sourceBackupId: "backup-1",
  sourceBackupName: "backup one",
  sourceCheckpointId: "checkpoint-1",
  destinationRegion: "there",
  destinationProjectId: sampleProject,
  destinationVaultId: "vault-2",
  destinationBackupId: null,
  destinationCheckpointId: null,
  progress: 0,
  failCode: "",
  failReason: "",
  autoTrigger: true,
  createdAt,
  updatedAt: createdAt,
  ...over,
});

export const sampleTask = (over: Partial<Task> = {}): Task => ({
  id: randomUUID(),
  projectId: sampleProject,
  type: "backup",
  status: "waiting",
  vaultId: null,
  vaultName: null,
  checkpointId: null,
  policyId: null,
  providerId: null,
  backupId: null,
  backupName: null,
  resourceId: null,
  resourceName: null,
  resourceType: null,
  input: { incremental: true },
  result: {},
  progress: { phase: "", bytesDone: 0, bytesTotal: null, rate: 0 },
  requestId: null,
  errorCode: "",
  errorMessage: "",
  cancelRequested: false,
  fencingToken: 0,
  leaseOwner: null,
  leaseExpiresAt: null,
  createdAt,
  startedAt: null,
  updatedAt: createdAt,
  endedAt: null,
  ...over,
});

const definition: Policy["definition"] = {
  maxBackups: 7,
  retentionDurationDays: null,
  dayBackups: 2,
  weekBackups: null,
  monthBackups: null,
  yearBackups: null,
  timezone: "UTC+02:00",
  fullBackupInterval: null,
  destinationProjectId: null,
  destinationRegion: null,
};
const schedule = { patterns: ["FREQ=DAILY;INTERVAL=1;BYHOUR=6;BYMINUTE=00"], timezone: null };

export const samplePolicy = (over: Partial<Policy> = {}): Policy => ({
  id: randomUUID(),
  projectId: sampleProject,
  userId: "user-1",
  name: "daily",
  enabled: true,
  operationType: "backup",
  definition,
  schedule,
  triggerId: randomUUID(),
  policyType: "custom_policy",
  organizationPolicyId: null,
  createdAt,
  updatedAt: null,
  ...over,
});

export const sampleOrganizationPolicy = (over: Partial<OrganizationPolicy> = {}): OrganizationPolicy => ({
  id: randomUUID(),
  domainId: "default",
  name: "for all",
  description: null,
  scope: null,
  operationType: "backup",
  policyName: "from-above",
  policyEnabled: true,
  definition,
  schedule,
  userId: "user-1",
  createdAt,
  updatedAt: null,
  ...over,
});
export function sampleMember(over: Partial<Member> = {}): Member {
  return {
    id: randomUUID(),
    backupId: "backup-1",
    projectId: sampleProject,
    destProjectId: "1".repeat(32),
    status: "pending",
    vaultId: null,
    sizeBytes: 536_870_912,
    createdAt,
    updatedAt: null,
    ...over,
  };
}
