/** A range of a resource: data, or a hole that reads as zeros. Offsets and lengths in bytes. */
export interface Extent {
  offset: number;
  length: number;
}

/** How to reach the bytes of one disk: plain data, so that it can be sent to a worker thread. */
export interface SourceSpec {
  kind: "file";
  /** Absolute path. */
  path: string;
}

/**
 * The source contract. Reading is synchronous on purpose: it happens in worker threads, never on the API's event loop.
 * Every failure is a {@link SourceError}.
 */
export interface Source {
  readonly sizeBytes: number;
  /** Ranges that may hold data, ascending, disjoint, inside the size; all else is a hole and never read. `within`: only what lies in this range. */
  allocatedExtents(within?: Extent): Iterable<Extent>;
  /** Fills `into` from `offset`. A source that has become shorter is an error, never zeros. */
  read(offset: number, into: Uint8Array): void;
  /** A token that changes when the source is written; compared before and after a backup. */
  changeToken(): string;
  close(): void;
}

export type SourceErrorCode = "notFound" | "unreadable" | "shrunk" | "notAFile" | "writeFailed" | "noSpace";

export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: SourceErrorCode;
  constructor(code: SourceErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
