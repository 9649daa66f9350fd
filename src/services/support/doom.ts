import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId, TimestampUs } from "#model/ids.ts";
import { naiveUtc } from "#model/timestamps.ts";
import { stopReceivedRestores } from "./shares.ts";
import { replicationIsOver } from "#model/replication.ts";

/** Top-level backups of a vault, or of one resource in it. */
export async function topLevelBackups(tables: Tables, projectId: ProjectId, vaultId: Id, resourceId?: Id): Promise<Backup[]> {
  const found: Backup[] = [];
  for (;;) {
    const filter = { vaultId, parentId: null, ...(resourceId === undefined ? {} : { resourceId }) };
    const page = await tables.backups.list(projectId, filter, { limit: 1000, offset: found.length });
    found.push(...page.items.map((view) => view.backup));
    if (page.items.length === 0 || found.length >= page.count) return found;
  }
}

/**
 * Whether the lock of its vault keeps a top-level backup at `now`, whoever wants it gone: it holds data, and its time is not over. One that has no
 * time is kept for good. Its status says nothing, because that can be set.
 */
export async function isKeptByLock(tables: Tables, backup: Backup, now: TimestampUs): Promise<boolean> {
  if (backup.expiredAt !== null && backup.expiredAt <= now) return false;
  const vault = await tables.vaults.get(backup.projectId, backup.vaultId);
  if (vault?.locked !== true) return false;
  return [backup, ...(await tables.backups.children(backup.id))].some((each) => each.rootKey !== null);
}

/**
 * Refuses when a backup may not go now: a lock keeps it, it is being made or restored, or a running backup may be compared with it. Every
 * deletion asks here.
 * @throws DomainError `backupLocked`, `backupRunning`, `backupNotDeletable`, `backupInUse`
 */
export async function refuseUnlessRemovable(tables: Tables, backup: Backup, now: TimestampUs): Promise<void> {
  if (await isKeptByLock(tables, backup, now)) {
    const until = backup.expiredAt === null ? "for good: no time was set for it" : `until ${naiveUtc(backup.expiredAt)}Z`;
    throw new DomainError("backupLocked", `Backup ${backup.id} is in a locked vault and kept ${until}.`);
  }
  if ((await tables.replications.ofBackup(backup.id)).some((record) => record.sourceBackupId === backup.id && !replicationIsOver(record.status)))
    throw new DomainError("backupInUse", `Backup ${backup.id} is being copied to another vault.`);
  const family = [backup, ...(await tables.backups.children(backup.id))];
  for (const each of family) {
    if (each.status === "waiting_protect" || each.status === "protecting")
      throw new DomainError("backupRunning", `Backup ${each.id} is still being made.`);
    if (each.status !== "available" && each.status !== "error") {
      throw new DomainError("backupNotDeletable", `Backup ${each.id} is ${each.status}; only an available or failed one can be deleted.`);
    }
    if (each.resourceType !== "OS::Cinder::Volume" || each.status !== "available") continue;
    if ((await tables.backups.countOfResource(each.resourceId, ["waiting_protect", "protecting"])) === 0) continue;
    if (await mayBeBase(tables, each)) throw new DomainError("backupInUse", `Backup ${each.id} is what a backup under way is compared with.`);
  }
}

/** Whether a backup that waits or runs has chosen this one, or may yet choose it, as its base. */
async function mayBeBase(tables: Tables, backup: Backup): Promise<boolean> {
  const open = await tables.backups.list(
    backup.projectId,
    { resourceId: backup.resourceId, statuses: ["waiting_protect", "protecting"] },
    { limit: 1000, offset: 0 },
  );
  if (open.items.some((view) => view.backup.baseId === backup.id)) return true;
  if (!open.items.some((view) => view.backup.status === "waiting_protect")) return false;
  return (await tables.backups.newestBase(backup.projectId, backup.resourceId))?.id === backup.id;
}

/** Moves a backup and the disk backups inside it to `waiting_delete`; who it is shared with stops restoring it. */
export async function doom(tables: Tables, backup: Backup, now: TimestampUs): Promise<void> {
  await stopReceivedRestores(tables, backup.id, now);
  for (const each of [backup, ...(await tables.backups.children(backup.id))]) {
    if (!(await tables.backups.transition(each.id, "waiting_delete", { updatedAt: now }, ["available", "error"]))) {
      throw new DomainError("backupNotDeletable", `Backup ${each.id} is ${each.status}; only an available or failed one can be deleted.`);
    }
  }
}
