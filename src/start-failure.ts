import { CatalogError } from "#catalog/errors.ts";
import { FolderLockedError } from "#platform/folder-lock.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { StorageError } from "#storage/store.ts";
import type { Settings } from "./config.ts";

/** The service cannot start, for a reason that its operator can put right. */
export class StartError extends Error {
  override readonly name = "StartError";
}

const sqliteReasons: Record<number, string> = {
  8: "it is read-only",
  10: "reading or writing failed",
  13: "the disk is full",
  14: "a file cannot be opened",
};

/** One sentence for whoever started the service: what is wrong and, where it is known, what to do. */
export function describeStartFailure(error: unknown, settings: Pick<Settings, "data" | "host" | "port">): string {
  const folder = `the data folder ${settings.data}`;
  if (error instanceof StartError) return error.message;
  if (error instanceof FolderLockedError) return `${folder} is in use by another OpenCBR process`;
  if (error instanceof RepositoryError && error.code === "wrongMasterKey")
    return `the master key ${settings.data}/master.key is not the one that ${folder} was made with (${error.message})`;
  if (error instanceof CatalogError && (error.code === "corrupt" || error.code === "notADatabase"))
    return (
      `${folder} cannot be used: ${error.message}. Nothing was changed. ` +
      `Move the file away and make it again: opencbr rebuild --from ${settings.data}/store --data ${settings.data}`
    );
  if (error instanceof CatalogError || error instanceof RepositoryError || error instanceof StorageError)
    return `${folder} cannot be used: ${error.message}`;
  const { code, errcode, message } = error as NodeJS.ErrnoException & { errcode?: number };
  switch (code) {
    case "EADDRINUSE":
      return `port ${settings.port} on ${settings.host} is taken by another program; choose one with --port`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${settings.host} is no address of this machine; choose one with --host`;
    case "EACCES":
    case "EPERM":
      return (error as NodeJS.ErrnoException).syscall === "listen"
        ? `port ${settings.port} on ${settings.host} needs rights that this user does not have; choose one with --port`
        : `${folder} may not be written by this user (${message})`;
    case "EROFS":
      return `${folder} is read-only`;
    case "ENOSPC":
    case "EDQUOT":
      return `${folder} is full: there is no space left on its disk`;
    case "ENOTDIR":
    case "EEXIST":
    case "ENOENT":
      return `${folder} cannot be made: part of the path is not a folder (${message})`;
    case "ERR_SQLITE_ERROR":
      return `${folder} cannot be used: ${sqliteReasons[(errcode ?? 0) & 0xff] ?? message}`;
    default:
      return `the service cannot start: ${error instanceof Error ? message : String(error)}`;
  }
}
