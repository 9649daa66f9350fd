import type { SourceSpec } from "#sources/source.ts";

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
  restore(request: RestoreRequest, control: TaskControl): Promise<RestoreOutcome>;
  /** Reads any range of a backup at once, without restoring it (lazy loading). Zeros for holes; at most 8 MiB. */
  readRange(request: { tenant: string; backupId: string; offset: number; length: number }): Promise<Uint8Array>;
  /** Removes the root object: the backup no longer exists. Idempotent. Its chunks become garbage where nothing else uses them. */
  deleteRoot(tenant: string, backupId: string): Promise<void>;
  /** What the root object of a backup says, unsealed and verified; undefined if there is none. */
  readRoot(tenant: string, backupId: string): Promise<RootDescription | undefined>;
  /** Ids of every backup that has a root object. */
  listRoots(tenant: string): Promise<string[]>;
  /** Every tenant that has any object in the store. */
  listTenants(): Promise<string[]>;
  /** Seals what a tenant looks like beside its backups into the store, in place of what was written before. Tells the time given to it, in microseconds. */
  writeState(tenant: string, nowUs: number, document: unknown): Promise<number>;
  /** What was written last; undefined when there is nothing, or the tenant's key is gone. */
  readState(tenant: string): Promise<{ writtenAtUs: number; document: unknown } | undefined>;
  close(): Promise<void>;
}

export interface TaskControl {
  onProgress?(progress: { phase: string; bytesDone: number; bytesTotal: number | null }): void;
  signal?: AbortSignal;
}

export interface BackupRequest {
  tenant: string;
  backupId: string;
  source: SourceSpec;
  /** Compare with this backup's manifest; it must have a root object. Absent = full. */
  baseId?: string;
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
}

export interface RestoreRequest {
  tenant: string;
  backupId: string;
  target: { kind: "file"; path: string };
  /** Size that the target gets; at least the backup's. The rest reads as zeros. */
  sizeBytes: number;
}

export interface RestoreOutcome {
  sizeBytes: number;
  /** Bytes written: the rest are holes. */
  writtenBytes: number;
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
  statistics: Omit<BackupOutcome, "rootKey" | "container" | "changedWhileRead">;
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
  | "baseNotComparable"
  | "invalidRequest"
  | "noSpace"
  | "readOnly"
  | "storeUnavailable"
  | "sourceNotFound"
  | "sourceUnreadable"
  | "sourceShrunk"
  | "targetNotWritable"
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
  /** Threads that hash, compress and encrypt; default: one per core, at least 1. */
  laneCount?: number;
}
