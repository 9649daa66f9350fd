import { realpath, stat } from "node:fs/promises";
import { isAbsolute, join, resolve, sep } from "node:path";
import { DomainError } from "#model/errors.ts";
import type { Backup } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Locator } from "#model/resource.ts";
import type { ServiceSettings } from "../context.ts";

/** Suffix of files that are not whole yet: whatever is found with it at a start is swept. */
export const partSuffix = ".part";

/** File of a volume or snapshot of ours. */
export const localPath = (settings: ServiceSettings, id: Id): string => join(settings.volumesPath, `${id}.raw`);

/** What was written to a volume of ours since its backups. */
export const changeLogPath = (settings: ServiceSettings, id: Id): string => join(settings.volumesPath, `${id}.changes`);

/** File of the storage snapshot that a volume's newest backup keeps. */
export const storageSnapshotPath = (settings: ServiceSettings, backup: Pick<Backup, "id" | "projectId">, snapshotId: Id): string =>
  join(settings.volumesPath, `storage-snapshot-${snapshotId}.${backup.projectId}.${backup.id}.raw`);

const storageSnapshotName = /^storage-snapshot-([0-9a-f-]{36})\.([0-9a-f]{32})\.([0-9a-f-]{36})\.raw$/;

/** Which backup a storage snapshot's file belongs to; undefined for any other file. */
export function parseStorageSnapshotName(name: string): { snapshotId: Id; projectId: ProjectId; backupId: Id } | undefined {
  const match = storageSnapshotName.exec(name);
  return match === null ? undefined : { snapshotId: match[1]!, projectId: match[2]!, backupId: match[3]! };
}

const isBelow = (path: string, root: string): boolean => path.startsWith(root.endsWith(sep) ? root : root + sep);

const notPermitted = (): DomainError =>
  new DomainError("sourceNotPermitted", "path: is not below any folder that the operator permits as a source", { field: "path" });

/**
 * The real path of an operator's file, symbolic links resolved.
 * @throws DomainError `sourceNotPermitted` outside the roots, whether it exists or not; `sourceUnavailable` when it is missing or unreadable
 */
export async function permittedPath(settings: ServiceSettings, path: string): Promise<string> {
  if (!isAbsolute(path) || path.includes("\0")) throw new DomainError("invalidRequest", "path: must be an absolute path", { field: "path" });
  const roots: string[] = [];
  for (const root of settings.sourceRoots) {
    roots.push(
      resolve(root),
      ...(await realpath(root).then(
        (real) => [real],
        () => [],
      )),
    );
  }
  if (!roots.some((root) => isBelow(resolve(path), root))) throw notPermitted();
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    throw new DomainError("sourceUnavailable", "path: there is no such file, or it cannot be reached", { field: "path", cause: error });
  }
  if (!roots.some((root) => isBelow(real, root))) throw notPermitted();
  return real;
}

/**
 * The file that a locator stands for; a `file:` one is checked anew each time: it may have been replaced by something outside the roots,
 * by a folder, or by a pipe, which would keep whoever opens it waiting.
 * @throws DomainError `sourceNotPermitted`, `sourceUnavailable`
 */
export async function pathOf(settings: ServiceSettings, locator: Locator): Promise<string> {
  if (locator.startsWith("local:")) return localPath(settings, locator.slice("local:".length));
  const path = await permittedPath(settings, locator.slice("file:".length));
  const stats = await stat(path).catch((error: unknown) => {
    throw new DomainError("sourceUnavailable", "path: the file could not be reached", { field: "path", cause: error });
  });
  if (stats.isFile() || stats.isBlockDevice()) return path;
  throw new DomainError("sourceUnavailable", "path: is no longer a regular file", { field: "path" });
}

export const isLocal = (locator: Locator): boolean => locator.startsWith("local:");
