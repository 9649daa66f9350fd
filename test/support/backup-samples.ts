import type { BackupView } from "#catalog/tables.ts";
import type { Backup, BackupStatistics } from "#model/backup.ts";

/** Microseconds of 2030-01-02T03:04:05.000006 UTC. */
export const sampleCreatedUs = Date.UTC(2030, 0, 2, 3, 4, 5) * 1000 + 6;

export const sampleStatistics: BackupStatistics = {
  readBytes: 268_435_456,
  dataBytes: 100_000_000,
  newBytes: 60_000_000,
  storedBytes: 25_000_000,
  unchangedBytes: 30_000_000,
  deduplicatedBytes: 10_000_000,
  newChunks: 240,
  objectCount: 12,
  compressed: true,
  durationMs: 2_000,
};

/** A finished incremental backup of an encrypted boot disk; override what a test is about. */
export function sampleDiskBackup(patch: Partial<Backup> = {}): Backup {
  return {
    id: "55555555-5555-4555-8555-555555555555",
    projectId: "00000000000000000000000000000001",
    userId: "00000000000000000000000000000002",
    name: "nightly",
    description: "before the upgrade",
    status: "available",
    imageType: "backup",
    vaultId: "33333333-3333-4333-8333-333333333333",
    checkpointId: "44444444-4444-4444-8444-444444444444",
    parentId: null,
    baseId: "77777777-7777-4777-8777-777777777777",
    chainId: "77777777-7777-4777-8777-777777777777",
    resourceId: "22222222-2222-4222-8222-222222222222",
    resourceName: "disk-1",
    resourceType: "OS::Cinder::Volume",
    resourceSizeGib: 20,
    resourceAz: "az1",
    storeZone: "az2",
    nodeId: "88888888-8888-4888-8888-888888888888",
    taskId: "99999999-9999-4999-8999-999999999999",
    autoTrigger: false,
    incrementalRequested: true,
    incremental: true,
    bootable: true,
    systemDisk: false,
    containSystemDisk: null,
    encryption: { cmkId: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", volumeKey: "0123456789abcdef".repeat(4) },
    encrypted: true,
    architecture: null,
    volumeType: "ssd",
    volumeMetadata: { owner: "ops" },
    snapshotId: "66666666-6666-4666-8666-666666666666",
    metadata: { ticket: "4711" },
    progress: 100,
    failReason: null,
    statistics: sampleStatistics,
    rootKey: "p/00000000000000000000000000000001/roots/55555555-5555-4555-8555-555555555555",
    createdAt: sampleCreatedUs,
    updatedAt: sampleCreatedUs + 295_120_000,
    protectedAt: sampleCreatedUs + 1_500_000,
    expiredAt: sampleCreatedUs + 30 * 86_400_000_000,
    viaCloudbackups: false,
    ...patch,
  };
}

/** A finished server backup without a store object of its own. */
export function sampleServerBackup(patch: Partial<Backup> = {}): Backup {
  return sampleDiskBackup({
    id: "11111111-1111-4111-8111-111111111111",
    resourceId: "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb",
    resourceName: "web-1",
    resourceType: "OS::Nova::Server",
    bootable: null,
    systemDisk: null,
    containSystemDisk: true,
    encryption: null,
    encrypted: null,
    architecture: "x86_64",
    volumeType: null,
    snapshotId: null,
    progress: null,
    statistics: null,
    rootKey: null,
    ...patch,
  });
}

export function sampleView(backup: Backup, patch: Partial<Omit<BackupView, "backup">> = {}): BackupView {
  return {
    backup,
    children: [],
    hasDependents: false,
    chainStoredBytes: 70_000_000,
    enterpriseProjectId: "0",
    resourceExists: true,
    replications: [],
    ...patch,
  };
}

/** A server backup with its boot disk and a data disk. */
export function sampleServerView(patch: Partial<Backup> = {}): BackupView {
  const parent = sampleServerBackup(patch);
  const boot = sampleDiskBackup({ parentId: parent.id, description: null, systemDisk: true });
  const data = sampleDiskBackup({
    id: "cccccccc-cccc-4ccc-8ccc-cccccccccccc",
    parentId: parent.id,
    description: null,
    bootable: false,
    encryption: null,
    encrypted: false,
  });
  return sampleView(parent, { children: [boot, data] });
}
