import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { silentLog } from "#platform/log.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { RootDescription } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { readDocument } from "../rebuild/readDocument.ts";
import { addBackup, inVaultOfToday } from "../rebuild/rebuildProject.ts";
import type { BackupDocument } from "../runs/backup-disk.ts";
import { serverPatch } from "../runs/runBackup.ts";
import { fillOf, settleUsage } from "../support/capacity.ts";
import { listingLock } from "../support/listing-lock.ts";

interface Deleted {
  root: RootDescription;
  document: BackupDocument;
}

/**
 * Brings a deleted backup back as it was made, with its vault and restore point where those are gone too; a vault that is made again protects
 * nothing. A server backup, named by its own id or that of one of its disks, comes back with all of its disks that are still there. May be repeated
 * after a crash. Tells the ids of the disk backups.
 * @throws DomainError `backupNotFound` when it is not in the bin, or something of it has been collected; `conflict` when it is not deleted (yet);
 * `vaultStatusForbids` when its vault is being deleted or in error; `vaultFull` when it does not fit any more
 */
export function undeleteBackup(context: Context, caller: Caller, { backupId }: { backupId: Id }): Promise<Id[]> {
  return listingLock(context).exclusive(async () => {
    const disks = await findDisks(context, caller, backupId);
    await rehearse(context, caller, disks);
    const back: Deleted[] = [];
    try {
      for (const disk of disks) if (await bringBack(context, caller, disk.root.backupId)) back.push(disk);
      if (back.length === 0) throw notThere(backupId);
      await context.catalog.transaction((tables) => list(context, tables, caller, back));
    } catch (error) {
      // The store is not to keep what the catalog does not list.
      for (const { root } of back) await context.engine.deleteRoot(caller.projectId, root.backupId);
      throw error;
    }
    return back.map(({ root }) => root.backupId);
  });
}

/** False when it is no longer in the bin, or something of it was collected. */
async function bringBack({ engine }: Context, { projectId }: Caller, backupId: Id): Promise<boolean> {
  try {
    return (await engine.undelete(projectId, backupId)) || (await engine.readRoot(projectId, backupId)) !== undefined;
  } catch (error) {
    if (error instanceof RepositoryError && error.code === "missingChunk") return false;
    throw error;
  }
}

const notThere = (backupId: Id): DomainError =>
  new DomainError("backupNotFound", `Backup ${backupId} is not among the deleted ones that can be brought back.`);

/** The deleted disk backup of this id with the other disks of its server backup, or the disks of the server backup of this id. */
async function findDisks(context: Context, caller: Caller, backupId: Id): Promise<Deleted[]> {
  const first = (await findDisk(context, caller, backupId)) ?? (await findDiskOf(context, caller, backupId));
  if (first === undefined) throw notThere(backupId);
  const { parent, siblings, backup } = first.document;
  if (parent !== null) await refuseListed(context.catalog, caller, parent.id);
  const disks = [first];
  for (const sibling of siblings) {
    const disk = sibling.id === backup.id ? undefined : await findDisk(context, caller, sibling.id);
    if (disk !== undefined) disks.push(disk);
  }
  return disks;
}

/** In the bin, or in its place where a return was interrupted before the catalog heard of it. */
async function findDisk(context: Context, caller: Caller, backupId: Id): Promise<Deleted | undefined> {
  const { engine } = context;
  const { projectId } = caller;
  await refuseListed(context.catalog, caller, backupId);
  const root = (await engine.readDeletedRoot(projectId, backupId)) ?? (await engine.readRoot(projectId, backupId));
  if (root === undefined) return undefined;
  const document = readDocument(root.document, { projectId, backupId });
  if (typeof document === "string") throw new DomainError("conflict", `Backup ${backupId} cannot be listed again: ${document}.`);
  return { root, document };
}

async function findDiskOf(context: Context, caller: Caller, serverBackupId: Id): Promise<Deleted | undefined> {
  for (const { backupId } of await context.engine.listDeleted(caller.projectId)) {
    if ((await context.catalog.backups.get(caller.projectId, backupId)) !== undefined) continue;
    const disk = await findDisk(context, caller, backupId);
    if (disk?.document.parent?.id === serverBackupId) return disk;
  }
  return undefined;
}

async function refuseListed(tables: Tables, { projectId }: Caller, backupId: Id): Promise<void> {
  if ((await tables.backups.get(projectId, backupId)) !== undefined) throw new DomainError("conflict", `Backup ${backupId} is not deleted.`);
}

class Rehearsed extends Error {}

/** Lists the backups and takes it back: what would refuse them does so before anything changes. */
async function rehearse(context: Context, caller: Caller, disks: readonly Deleted[]): Promise<void> {
  const rehearsal = context.catalog.transaction(async (tables) => {
    await list({ ...context, log: silentLog }, tables, caller, disks);
    throw new Rehearsed();
  });
  await rehearsal.catch((error: unknown) => {
    if (!(error instanceof Rehearsed)) throw error;
  });
}

async function list(context: Context, tables: Tables, caller: Caller, disks: readonly Deleted[]): Promise<void> {
  const { parent } = disks[0]!.document;
  for (const { root } of disks) await refuseListed(tables, caller, root.backupId);
  const moves = await tables.vaults.movesOf(caller.projectId);
  const known = { state: undefined, stateAt: Infinity, settings: context.settings, moves, isLive: true as const };
  const { vaultId } = (await inVaultOfToday(tables, disks[0]!.document, known)).backup;
  const fill = await fillOf(tables, caller.projectId, vaultId);
  if (fill !== undefined && fill.vault.status !== "available" && fill.vault.status !== "lock")
    throw new DomainError("vaultStatusForbids", `Vault ${vaultId} is ${fill.vault.status}; a backup comes back into an available one.`);
  for (const { root, document } of disks) await addBackup(tables, root, document, known);
  if (parent !== null) await makeAvailable(tables, caller, parent.id);
  await settleUsage(context, tables, fill);
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
