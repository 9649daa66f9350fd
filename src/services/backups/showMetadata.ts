import type { BackupView } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Server, Volume } from "#model/resource.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { readDocument } from "../rebuild/readDocument.ts";
import type { BackupDocument } from "../runs/backup-disk.ts";
import { findBackup, findBackupView } from "../support/find.ts";

/** What was sealed with a backup about that which it protects, as it was then. */
export interface SealedMetadata {
  view: BackupView;
  /** Null for the backup of a single disk. */
  server: Server | null;
  /** The disks in the backup, in device order. */
  volumes: Volume[];
}

/**
 * The server and the disks of a backup as they were registered when it was made, whatever has become of them since.
 * @throws DomainError `backupNotFound`; `metadataNotReadable` when it is not complete or its seal cannot be opened
 */
export async function showMetadata(context: Context, caller: Caller, input: { backupId: Id }): Promise<SealedMetadata> {
  const { catalog } = context;
  const backup = await findBackup(catalog, caller, input.backupId);
  if (!["available", "waiting_restore", "restoring"].includes(backup.status))
    throw new DomainError("metadataNotReadable", `Backup ${backup.id} is ${backup.status}; its metadata can be read when it is available.`);
  const disks = backup.resourceType === "OS::Nova::Server" ? await catalog.backups.children(backup.id) : [backup];
  const documents: BackupDocument[] = [];
  for (const disk of disks) documents.push(await openDocument(context, disk));
  const server = documents[0]?.server;
  return {
    view: await findBackupView(catalog, caller, backup.id),
    server: server?.type === "OS::Nova::Server" ? server : null,
    volumes: documents.map(({ resource }) => resource).filter((resource) => resource.type === "OS::Cinder::Volume"),
  };
}

async function openDocument({ engine }: Context, { id: backupId, projectId }: Backup): Promise<BackupDocument> {
  const refused = (why: string, cause?: unknown): DomainError =>
    new DomainError("metadataNotReadable", `The metadata of backup ${backupId} cannot be read: ${why}.`, { cause });
  try {
    const root = await engine.readRoot(projectId, backupId);
    if (root === undefined) throw refused("its root object is not in the store, or the key of its project was destroyed");
    const document = readDocument(root.document, { projectId, backupId });
    if (typeof document === "string") throw refused(document);
    return document;
  } catch (error) {
    throw error instanceof RepositoryError ? refused("its root object is damaged", error) : error;
  }
}
