import type { CarriedError } from "#platform/threads.ts";
import type { SourceErrorCode } from "#sources/source.ts";
import type { StorageErrorCode } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import type { RepositoryErrorCode } from "./engine-types.ts";

const ofSource: Record<SourceErrorCode, RepositoryErrorCode> = {
  notFound: "sourceNotFound",
  unreadable: "sourceUnreadable",
  shrunk: "sourceShrunk",
  notAFile: "sourceUnreadable",
  writeFailed: "targetNotWritable",
  noSpace: "noSpace",
};

const ofTarget: Record<SourceErrorCode, RepositoryErrorCode> = {
  ...ofSource,
  notFound: "targetNotWritable",
  unreadable: "targetNotWritable",
  shrunk: "targetNotWritable",
  notAFile: "targetNotWritable",
};

const ofStorage: Record<StorageErrorCode, RepositoryErrorCode> = {
  notFound: "storeUnavailable",
  noSpace: "noSpace",
  readOnly: "readOnly",
  badKey: "invalidRequest",
  badRange: "corruptPack",
  unavailable: "storeUnavailable",
};

/**
 * Any failure as the repository names it, also after it crossed threads. Defects stay what they are.
 * `role` tells whether a file's failure is about what is read or about what is written.
 */
export function asEngineError(error: unknown, role: "source" | "target" = "source"): Error {
  if (error instanceof RepositoryError) return error;
  const { name, code, message } = error as CarriedError;
  if (name === "RepositoryError") return new RepositoryError(code as RepositoryErrorCode, message, error);
  if (name === "SourceError") return new RepositoryError((role === "source" ? ofSource : ofTarget)[code as SourceErrorCode], message, error);
  if (name === "StorageError") return new RepositoryError(ofStorage[code as StorageErrorCode], message, error);
  if (error instanceof Error) return error;
  return Object.assign(new Error(message), { name, code, stack: (error as CarriedError).stack });
}

/** @throws RepositoryError `cancelled` */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new RepositoryError("cancelled", "cancelled on request");
}
