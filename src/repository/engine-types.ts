import type { PeerAddress } from "#platform/peer-client.ts";
import type { Extent, SourceSpec } from "#sources/source.ts";
import type { StoreCount } from "#storage/counting.ts";
import type { BinEntry } from "./collect-bin.ts";
import type { OfferPart } from "./offer.ts";
import type { CollectReport, CollectRequest } from "./collect.ts";

/**
 * What the rest of the house may ask of the repository. Everything that moves data runs in worker threads behind this face;
 * the API's event loop sees only these small messages.
 *
 * "Tenant" here is what the rest of the house calls a project: the repository knows no vaults and no users.
 */
export interface Engine {
  /** Repository id, from the store's own record. */
  readonly repositoryId: string;
  /** What the store calls itself, as may be shown to a tenant. */
  readonly store: { kind: "local" | "memory" | "s3"; location: string };
  backup(request: BackupRequest, control: TaskControl): Promise<BackupOutcome>;
  /**
   * Makes a backup that is a copy of another one: only what is not here is fetched, every piece is verified, and the copy consists of exactly the
   * pieces that were offered. Errors: `originUnreachable`, `originRefused`, `originDamaged`.
   */
  replicate(request: ReplicateRequest, control: TaskControl): Promise<ReplicateOutcome>;
  /**
   * A part of a backup for somebody who copies it, as it travels (docs/format/replication.md): what is equal has equal references for one audience.
   * Errors: `missingRoot`, `invalidRequest`.
   */
  readOffer(request: { tenant: string; backupId: string; audience: string; part: OfferPart }): Promise<Uint8Array>;
  restore(request: RestoreRequest, control: TaskControl): Promise<RestoreOutcome>;
  /**
   * Looks whether everything that the tenant's backups lead to is there and sound, and keeps what it found: what is damaged is stored again by the
   * next backup that has it. Runs beside backups and restores.
   */
  check(request: CheckRequest, control: TaskControl): Promise<CheckOutcome>;
  /** Requests to the object store since the start. */
  storeCounts(): Promise<StoreCount[]>;
  /** Bytes of all the tenant's packs. */
  storedBytes(tenant: string): Promise<number>;
  /** What is known to be damaged: of one backup, or of all of the tenant's. */
  damage(tenant: string, backupId?: string): Promise<BackupDamage[]>;
  /** Reads any range of a backup at once, without restoring it (lazy loading). Zeros for holes; at most 8 MiB. */
  readRange(request: { tenant: string; backupId: string; offset: number; length: number }): Promise<Uint8Array>;
  /** Moves the root object into the bin: the backup no longer exists, and can be brought back until a collection purges it. Idempotent. */
  deleteRoot(tenant: string, backupId: string): Promise<void>;
  /** Removes the root object of a backup that was never answered as made. Idempotent. */
  discardRoot(tenant: string, backupId: string): Promise<void>;
  /** Backups in the bin. */
  listDeleted(tenant: string): Promise<BinEntry[]>;
  /** What the root object of a backup in the bin says; undefined when it is not there. */
  readDeletedRoot(tenant: string, backupId: string): Promise<RootDescription | undefined>;
  /** Brings a deleted backup back as it was; false when it is not in the bin. `missingChunk` when something of it is lost. */
  undelete(tenant: string, backupId: string): Promise<boolean>;
  /**
   * One collection of one tenant, beside whatever else runs. Garbage is condemned by one and deleted by a later one, after the grace period. Errors:
   * `collectRunning`, `indexOutdated`, `keyDestroyed`.
   */
  collect(request: CollectRequest, control: TaskControl): Promise<CollectReport>;
  /** What the root object of a backup says, unsealed and verified; undefined if there is none. */
  readRoot(tenant: string, backupId: string): Promise<RootDescription | undefined>;
  /** Ids of every backup that has a root object. */
  listRoots(tenant: string): Promise<string[]>;
  /** Whether the tenant's key was destroyed on purpose: nothing of it can be read again. */
  isShredded(tenant: string): Promise<boolean>;
  /** Every tenant that has any object in the store. */
  listTenants(): Promise<string[]>;
  /**
   * Seals what a tenant looks like beside its backups into the store, in place of what was written before. Tells the time given to it, in
   * microseconds.
   */
  writeState(tenant: string, nowUs: number, document: unknown): Promise<number>;
  /** What was written last; undefined when there is nothing, or the tenant's key is gone. */
  readState(tenant: string): Promise<{ writtenAtUs: number; document: unknown } | undefined>;
  close(): Promise<void>;
}

export type { OfferPart } from "./offer.ts";

/** A backup of this repository that a copy is made of. */
export interface TenantOrigin {
  kind: "tenant";
  tenant: string;
  backupId: string;
}

/** A backup that another service offers. */
export interface PeerOrigin {
  kind: "peer";
  peer: PeerAddress;
  /** Of the offer, below the peer's base URL. */
  path: string;
  /** Names the source: what is known of its pieces is kept under this. */
  source: string;
}

/** A backup of another store, which lies in a folder of this machine and is only read. */
export interface StoreOrigin {
  kind: "store";
  storePath: string;
  /** Of its master key file. */
  keyPath: string;
  tenant: string;
  backupId: string;
}

export interface ReplicateRequest {
  tenant: string;
  backupId: string;
  from: TenantOrigin | PeerOrigin | StoreOrigin;
  /** Sealed into the root object: the complete backup document, as JSON. */
  document: unknown;
  /** zstd level; 0 stores chunks as they are. */
  compressionLevel: number;
}

export interface ReplicateOutcome extends BackupOutcome {
  /** Bytes of all that came from the source: pieces that were not here, and lists of pieces. */
  receivedBytes: number;
  /** Of the offer that the copy was made of. Hex. */
  digest: string;
}

export interface TaskControl {
  onProgress?(progress: { phase: string; bytesDone: number; bytesTotal: number | null }): void;
  signal?: AbortSignal;
  /** The engine's own: resolves when so many more bytes may be read, where rates are limited. */
  pace?: (bytes: number) => Promise<void>;
}

export interface BackupRequest {
  tenant: string;
  backupId: string;
  source: SourceSpec;
  /** Compare with this backup's manifest; it must have a root object. Absent = full. */
  baseId?: string;
  /**
   * Outside these ranges nothing has changed since the base: only they are read, and a sample of the rest. Ignored without a base, and when the disk
   * has become shorter since.
   */
  changedExtents?: Extent[];
  /** Sealed into the root object: the complete backup document, as JSON. */
  document: unknown;
  /** Bytes per chunk, a power of two, 64 KiB to 4 MiB. A base with another size is not comparable and is an error. */
  chunkBytes: number;
  /** zstd level; 0 stores chunks as they are. */
  compressionLevel: number;
}

export interface BackupOutcome {
  rootKey: string;
  /** Prefix of the keys that hold this tenant's data. */
  container: string;
  sizeBytes: number;
  readBytes: number;
  dataBytes: number;
  newBytes: number;
  storedBytes: number;
  unchangedBytes: number;
  deduplicatedBytes: number;
  newChunks: number;
  objectCount: number;
  compressed: boolean;
  durationMs: number;
  /** The source was written while it was read: the image is not of one instant. */
  changedWhileRead: boolean;
  /**
   * What became of `changedExtents`: there were none that apply; they were all that was read; the sample showed that they are incomplete, and
   * everything was read.
   */
  changeList: "none" | "used" | "refused";
}

export interface RestoreRequest {
  tenant: string;
  backupId: string;
  target: { kind: "file"; path: string };
  /** Size that the target gets; at least the backup's. The rest reads as zeros. */
  sizeBytes: number;
  /** Restore all that can be read of a damaged backup, zeros where it cannot; the outcome tells where. Default: refuse (`damaged`). */
  allowHoles?: boolean;
}

export interface RestoreOutcome {
  sizeBytes: number;
  /** Bytes written: the rest are holes. */
  writtenBytes: number;
  /** What could not be read and is zeros in the target; only with `allowHoles`. Ascending. */
  lost: DamagedRange[];
  durationMs: number;
}

/** A range of a backup that cannot be read, in bytes. */
export interface DamagedRange {
  offset: number;
  length: number;
  reason: string;
}

/** What a backup has lost. */
export interface BackupDamage {
  backupId: string;
  /** null when the root object itself is lost, and with it everything. */
  sizeBytes: number | null;
  lostBytes: number | null;
  ranges: DamagedRange[];
  /** Why all of it is lost; null when only `ranges` are. */
  reason: string | null;
}

export interface CheckRequest {
  tenant: string;
  /**
   * Whole packs to read and verify, the longest unverified first: all, a share of their bytes, or as many as fit into a number of bytes. Absent =
   * none.
   */
  readData?: { percent: number } | { bytes: number };
  /** The time to be noted as that of the check, microseconds since the epoch. */
  nowUs: number;
}

/** Something that is not as it should be. */
export interface CheckFinding {
  /** Key of the object in the store, `index` or `catalog`. */
  object: string;
  reason: string;
  /** It could be put right at once: the index agrees with the store again, or there was a second copy. */
  repaired: boolean;
}

export interface CheckOutcome {
  backups: number;
  pages: number;
  packs: number;
  /** Packs of which every byte was read. */
  packsRead: number;
  bytesRead: number;
  /** Records (chunks and pages) that were decrypted and hashed. */
  recordsVerified: number;
  /** The first {@link maxFindings}; `findingCount` is of all. */
  findings: CheckFinding[];
  findingCount: number;
  /** Of the packs that were read: the first ones, in the order of reading. */
  packResults: { packId: string; sizeBytes: number; damagedRecords: number }[];
  /** Records that are damaged now, and those that are sound again. */
  damagedRecords: number;
  healedRecords: number;
  /** Every backup that has lost something. */
  damagedBackups: BackupDamage[];
  /** When the pack that has waited longest was last verified; null when some pack never was, or there is none. */
  oldestVerifiedAtUs: number | null;
  durationMs: number;
}

export interface RootDescription {
  backupId: string;
  tenant: string;
  baseId: string | null;
  sizeBytes: number;
  chunkBytes: number;
  /** Hex, 32 bytes. */
  merkleRoot: string;
  statistics: Omit<BackupOutcome, "rootKey" | "container" | "changedWhileRead" | "changeList">;
  document: unknown;
}

/**
 * What can be wrong with the repository.
 * `corrupt*` name the part that failed verification; the message tells backup and byte range. Wrong bytes are never returned.
 */
export type RepositoryErrorCode =
  | "wrongMasterKey"
  | "keyDestroyed"
  | "notARepository"
  | "newerFormat"
  | "corruptPack"
  | "corruptChunk"
  | "corruptPage"
  | "corruptRoot"
  | "missingChunk"
  | "missingRoot"
  | "damaged"
  | "baseNotComparable"
  | "invalidRequest"
  | "noSpace"
  | "readOnly"
  | "storeUnavailable"
  | "sourceNotFound"
  | "sourceUnreadable"
  | "sourceShrunk"
  | "targetNotWritable"
  | "sessionLost"
  | "originUnreachable"
  | "originRefused"
  | "originDamaged"
  | "collectRunning"
  | "indexOutdated"
  | "cancelled"
  | "engineStopped";

export class RepositoryError extends Error {
  override readonly name = "RepositoryError";
  readonly code: RepositoryErrorCode;
  constructor(code: RepositoryErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export interface EngineOptions {
  /** Folder of the local store. */
  storePath: string;
  /** SQLite file of the chunk index. Rebuilt from pack trailers when missing. */
  indexPath: string;
  /** 32 bytes. */
  masterKey: Uint8Array;
  /** Threads that hash, compress and encrypt; default: one per core, at least 1. Fewer where `memoryBytes` has no room for them. */
  laneCount?: number;
  /** What all backups and restores together may hold, however large the disks; at least 256 MiB, default 512 MiB. */
  memoryBytes?: number;
  /** Bytes that backups and checks read, restores fetch and collections copy in a second: all together, and each. Absent or 0 = no limit. */
  bandwidth?: { allBytes?: number; taskBytes?: number };
}
