/**
 * The storage contract: objects under keys. Every implementation is held to `storage/suite.ts`.
 *
 * Keys are `/`-separated segments of `[A-Za-z0-9._-]`, never empty, `.` or `..`, at most 512 characters.
 * Durability: when a write resolves, the object survives the loss of power. An object is seen whole or not at all.
 * Read-after-write: a resolved write is seen by every later get, stat and list; a resolved delete likewise.
 * Objects never change: there is no overwrite.
 */
export interface ObjectStore {
  readonly kind: "local" | "memory" | "s3";
  /** Where it keeps its objects, as may be shown to a tenant: never a path of the host's. */
  readonly location: string;
  /** Stores the concatenation of `parts` unless the key is taken. May be repeated after a failure. */
  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists">;
  /** The object, or the bytes `[offset, offset + length)` of it; a range that leaves the object is an error. */
  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array>;
  stat(key: string): Promise<{ size: number } | undefined>;
  /** Every object whose key starts with `prefix`, in no promised order. */
  list(prefix: string): AsyncIterable<{ key: string; size: number }>;
  /** Idempotent: deleting what is not there succeeds. */
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}

/** A store whose objects are files, so that a worker thread may read them without passing bytes between threads. */
export interface LocalFiles {
  pathOf(key: string): string;
}

export type StorageErrorCode = "notFound" | "noSpace" | "readOnly" | "badKey" | "badRange" | "unavailable";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;
  readonly key: string;
  constructor(code: StorageErrorCode, key: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.key = key;
  }
}
