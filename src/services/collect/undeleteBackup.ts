import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { RootDescription } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { readDocument } from "../rebuild/readDocument.ts";
import { addBackup } from "../rebuild/rebuildProject.ts";
import type { BackupDocument } from "../runs/backup-disk.ts";
import { serverPatch } from "../runs/runBackup.ts";

interface Returned {
  root: RootDescription;
  document: BackupDocument;
}

/**
 * Brings a deleted disk backup back as it was, with what of its vault and restore point is gone too; with a disk of a server backup come the other
 * disks. May be repeated after a crash. Tells the ids of the disk backups.
 * @throws DomainError `backupNotFound` when it is not in the bin, or something of it has been collected; `conflict` when it is not deleted (yet)
 */
export async function undeleteBackup(context: Context, caller: Caller, { backupId }: { backupId: Id }): Promise<Id[]> {
  const first = await bringBack(context, caller, backupId);
  const { parent, siblings } = first.document;
  if (parent !== null && (await context.catalog.backups.get(caller.projectId, parent.id))?.status === "deleting")
    throw new DomainError("conflict", `Server backup ${parent.id} is still being deleted.`);
  const disks = [first];
  for (const sibling of siblings) if (sibling.id !== backupId) disks.push(await bringBack(context, caller, sibling.id));
  // What the catalog tells of vaults, bindings and resources is newer than what the backup saw.
  const moves = await context.catalog.vaults.movesOf(caller.projectId);
  const known = { state: undefined, stateAt: Infinity, settings: context.settings, moves };
  await context.catalog.transaction(async (tables) => {
    for (const { root, document } of disks) await addBackup(tables, root, document, known);
    if (parent !== null) await makeAvailable(tables, caller, parent.id);
  });
  return disks.map(({ root }) => root.backupId);
}

async function bringBack({ catalog, engine }: Context, { projectId }: Caller, backupId: Id): Promise<Returned> {
  if ((await catalog.backups.get(projectId, backupId)) !== undefined) throw new DomainError("conflict", `Backup ${backupId} is not deleted.`);
  const notThere = (cause?: unknown): DomainError =>
    new DomainError("backupNotFound", `Backup ${backupId} is not among the deleted ones that can be brought back.`, { cause });
  await engine.undelete(projectId, backupId).catch((error: unknown) => {
    throw error instanceof RepositoryError && error.code === "missingChunk" ? notThere(error) : error;
  });
  const root = await engine.readRoot(projectId, backupId);
  if (root === undefined) throw notThere();
  const document = readDocument(root.document, { projectId, backupId });
  if (typeof document === "string") throw new DomainError("conflict", `Backup ${backupId} cannot be listed again: ${document}.`);
  return { root, document };
}

/** The server backup around disks that are all back. */
async function makeAvailable(tables: Tables, { projectId }: Caller, serverId: Id): Promise<void> {
  const server = await tables.backups.get(projectId, serverId);
  const children = await tables.backups.children(serverId);
  if (server === undefined || children.some((child) => child.rootKey === null || child.statistics === null)) return;
  const disks = children.map((child) => ({
    statistics: child.statistics!,
    protectedAt: child.protectedAt ?? child.createdAt,
    sealedAt: child.updatedAt ?? child.createdAt,
    incremental: child.incremental,
  }));
  await tables.backups.update(serverId, { ...serverPatch(disks), status: "available", failReason: null });
}
