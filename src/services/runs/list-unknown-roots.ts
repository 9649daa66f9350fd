import type { Id, ProjectId } from "#model/ids.ts";
import type { RootDescription } from "#repository/engine-types.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { readDocument } from "../rebuild/readDocument.ts";
import { addBackup, completeServer, inVaultOfToday } from "../rebuild/rebuildProject.ts";
import { fillOf, settleUsage } from "../support/capacity.ts";
import { listingLock } from "../support/listing-lock.ts";
import type { BackupDocument } from "./backup-disk.ts";

/** Lists the backups of a vault whose root objects are in the service's own store and which the catalog does not know. Tells how many there were. */
export function listUnknownRoots(context: Context, projectId: ProjectId, vaultId: Id): Promise<number> {
  return listingLock(context).exclusive(async () => {
    let listed = 0;
    for (const backupId of await context.engine.listRoots(projectId)) {
      if ((await context.catalog.backups.get(projectId, backupId)) !== undefined) continue;
      const root = await readable(context, projectId, backupId);
      const document = root && readDocument(root.document, { projectId, backupId });
      if (root === undefined || document === undefined || typeof document === "string") continue;
      if (await list(context, vaultId, root, document)) listed += 1;
    }
    return listed;
  });
}

/** What cannot be read is for `check` to find. */
async function readable({ engine, log }: Context, projectId: ProjectId, backupId: Id): Promise<RootDescription | undefined> {
  try {
    return await engine.readRoot(projectId, backupId);
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error;
    log.warn({ err: error, backupId }, "a root object that the catalog does not know cannot be read");
    return undefined;
  }
}

/** Adds the backup if it belongs to the vault. A disk of a server backup counts when it is the last one that was missing. */
function list(context: Context, vaultId: Id, root: RootDescription, document: BackupDocument): Promise<boolean> {
  const { projectId } = document.backup;
  return context.catalog.transaction(async (tables) => {
    const moves = await tables.vaults.movesOf(projectId);
    const known = { state: undefined, stateAt: Infinity, settings: context.settings, moves, isLive: true as const };
    if ((await inVaultOfToday(tables, document, known)).backup.vaultId !== vaultId) return false;
    const before = await fillOf(tables, projectId, vaultId);
    await addBackup(tables, root, document, known);
    const isWhole = document.parent === null || (await completeServer(tables, document.parent.id));
    await settleUsage(context, tables, before);
    return isWhole;
  });
}
