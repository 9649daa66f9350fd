import { CatalogError } from "#catalog/errors.ts";
import { DomainError, errorKinds } from "#model/errors.ts";
import type { ErrorCode } from "#model/errors.ts";
import type { TimestampUs } from "#model/ids.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { RepositoryErrorCode } from "#repository/engine-types.ts";
import { SourceError } from "#sources/source.ts";
import { TaskStop } from "./run.ts";
import type { TaskEnd } from "./run.ts";

/** Why a task failed, as a tenant may read it: no paths of the host, no internals. */
export interface Failure {
  /** `timeout` when it took longer than a task may. */
  status: "failed" | "timeout";
  /** `BackupService.NNNN` */
  errorCode: string;
  message: string;
  /** Not foreseen: the log has the error itself. */
  unexpected: boolean;
}

const fromRepository: Record<RepositoryErrorCode, [ErrorCode, string]> = {
  wrongMasterKey: ["internal", "The store was made with another master key."],
  keyDestroyed: ["internal", "The project's key was destroyed: nothing can read its backups any more."],
  notARepository: ["internal", "The store is not a repository."],
  newerFormat: ["internal", "The store was written by a newer version."],
  corruptPack: ["internal", "The stored data is damaged: an object failed its verification."],
  corruptChunk: ["internal", "The stored data is damaged: a piece of the image failed its verification."],
  corruptPage: ["internal", "The stored data is damaged: the list of pieces failed its verification."],
  corruptRoot: ["internal", "The stored data is damaged: the description of the backup failed its verification."],
  missingChunk: ["internal", "The stored data is damaged: a piece of the image is missing."],
  missingRoot: ["internal", "The stored data is damaged: the description of the backup is missing."],
  damaged: ["internal", "The stored data is damaged: parts of the image are lost."],
  baseNotComparable: ["internal", "The backup that it builds on cannot be compared with."],
  invalidRequest: ["internal", "The run was not possible as asked for."],
  noSpace: ["storageFull", "There is no space left."],
  readOnly: ["internal", "The store is read-only."],
  storeUnavailable: ["internal", "The store could not be reached."],
  sourceNotFound: ["sourceUnavailable", "The source file is missing."],
  sourceUnreadable: ["sourceUnavailable", "The source file could not be read."],
  sourceShrunk: ["sourceUnavailable", "The source file became shorter while it was read."],
  targetNotWritable: ["sourceUnavailable", "The target could not be written."],
  sessionLost: ["internal", "The run stood still for so long that what it relied on was no longer kept for it."],
  originUnreachable: ["sourceRegionUnreachable", "The source region could not be reached."],
  originRefused: ["replicationFailed", "The source region does not offer the backup."],
  originDamaged: ["replicationFailed", "What came from the source region failed its verification."],
  collectRunning: ["internal", "Another collection is running."],
  indexOutdated: ["internal", "The index is older than the store: it is put right when the service starts."],
  cancelled: ["taskCancelled", "cancelled"],
  engineStopped: ["internal", "interrupted: the engine was stopped"],
};

const fromSource: Record<SourceError["code"], RepositoryErrorCode> = {
  notFound: "sourceNotFound",
  unreadable: "sourceUnreadable",
  shrunk: "sourceShrunk",
  notAFile: "sourceUnreadable",
  writeFailed: "targetNotWritable",
  noSpace: "noSpace",
};

const failure = (code: ErrorCode, message: string, unexpected = false): Failure => ({
  status: code === "taskTimedOut" ? "timeout" : "failed",
  errorCode: errorKinds[code].cbr,
  message,
  unexpected,
});

const ofStop = { cancelled: "taskCancelled", shutdown: "internal", leaseLost: "internal", timeout: "taskTimedOut" } as const satisfies Record<
  TaskStop["kind"],
  ErrorCode
>;

/** How a task ends that failed so. */
export const failedEnd = ({ status, errorCode, message }: Failure, now: TimestampUs): TaskEnd => ({ status, now, errorCode, errorMessage: message });

/** What to tell about an error; when the run was told to stop, that is the reason, whatever the error says. */
export function describeFailure(error: unknown, signal?: AbortSignal): Failure {
  const stop = signal?.aborted ? signal.reason : error;
  if (stop instanceof TaskStop) return failure(ofStop[stop.kind], stop.message);
  if (error instanceof DomainError) return failure(error.code, error.message);
  const code = error instanceof RepositoryError ? error.code : error instanceof SourceError ? fromSource[error.code] : undefined;
  if (code === "damaged" && error instanceof Error) return failure("backupDamaged", `The backup is damaged: ${error.message}`);
  if (code !== undefined) return failure(...fromRepository[code]);
  if (error instanceof CatalogError && error.code === "noSpace") return failure(...fromRepository.noSpace);
  return failure("internal", "An unexpected error stopped it; the log of the service has the details.", true);
}
