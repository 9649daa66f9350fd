import type { BackupView } from "#catalog/tables.ts";

/** Where the backup's objects are. */
export interface StoreFacts {
  kind: "local" | "memory" | "s3";
  /** Path of the storage unit: the store, and the repository in it. */
  location: string;
}

/** What a rendering of Block Storage backups needs beyond the backup itself. */
export interface ServiceMetadataFacts {
  store: StoreFacts;
  /** `seed`: Type 1 is full; `otc2022`: Type 0 is full. */
  typeReading: "seed" | "otc2022";
  /** Server that the disk backup belongs to; null for a disk backup of its own. */
  serverId: string | null;
}

const storeTypes = { local: 0, s3: 1, memory: 2 } as const;
const mib = (bytes: number): number => Math.ceil(bytes / 1_048_576);

/** Share of the image's data, in percent, that did not have to be stored: what deduplication, compression and the parent saved. */
export function savedPercent(dataBytes: number, storedBytes: number): number {
  if (dataBytes === 0) return 0;
  return Math.min(100, Math.max(0, Math.round(100 * (1 - storedBytes / dataBytes))));
}

/** Average throughput in MB/s (10^6 bytes): bytes read from the source over the length of the run. */
export function megabytesPerSecond(readBytes: number, durationMs: number): number {
  return durationMs <= 0 ? 0 : readBytes / 1000 / durationMs;
}

/** 0 disk backup, 1 part of a server backup, 4 and 5 their copies from another region. */
function serviceType(view: BackupView): number {
  const base = view.backup.parentId === null ? 0 : 1;
  return view.backup.imageType === "replication" ? base + 4 : base;
}

/** The keys of `service_metadata` with their JSON texts, in a fixed order. Keys that do not apply are absent. */
export function serviceMetadataEntries(view: BackupView, facts: ServiceMetadataFacts): [string, string][] {
  const { backup } = view;
  const { statistics } = backup;
  const full = facts.typeReading === "seed" ? 1 : 0;
  const entries: [string, unknown][] = [
    ["bootable", backup.bootable ?? false],
    ["backupurl", backup.id],
    ["BackupSize", mib(statistics?.storedBytes ?? 0)],
    ["progress", String(backup.progress ?? 0)],
    ["Type", backup.incremental ? 1 - full : full],
    ["DL", statistics === null ? 0 : 1 + (statistics.compressed ? 2 : 0)],
    ["SS", statistics === null ? 0 : savedPercent(statistics.dataBytes, statistics.storedBytes)],
    ["CS", mib(view.chainStoredBytes)],
    ["ST", serviceType(view)],
    ["BT", storeTypes[facts.store.kind]],
    ["BP", facts.store.location],
    ["OMID", backup.nodeId],
  ];
  if (backup.rootKey !== null) entries.push(["SP", backup.rootKey]);
  if (backup.volumeType !== null) entries.push(["VT", backup.volumeType]);
  if (backup.taskId !== null) entries.push(["ebk_T_I", backup.taskId]);
  if (facts.serverId !== null) entries.push(["VMID", facts.serverId]);
  if (backup.snapshotId !== null) entries.push(["snap_id", backup.snapshotId.replaceAll("-", "")]);
  if (backup.encryption !== null) entries.push(["VK", backup.encryption.volumeKey], ["CMKID", backup.encryption.cmkId]);
  const texts = entries.map(([key, value]): [string, string] => [key, JSON.stringify(value)]);
  const rate = statistics === null ? 0 : megabytesPerSecond(statistics.readBytes, statistics.durationMs);
  texts.push(["AT", rate.toFixed(1)]);
  return texts;
}

/** `service_metadata` of VBS v2: a string that holds a JSON object, with one space before and after it. */
export function renderServiceMetadata(view: BackupView, facts: ServiceMetadataFacts): string {
  const body = serviceMetadataEntries(view, facts)
    .map(([key, text]) => `"${key}": ${text}`)
    .join(", ");
  return ` {${body}} `;
}
