import type { BackupView, Tables } from "#catalog/tables.ts";
import type { Backup, BackupStatus } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId, TimestampUs } from "#model/ids.ts";
import type { Member } from "#model/member.ts";

/** A backup that a caller may read, and by what right. */
export interface Readable {
  backup: Backup;
  /** The accepted share of another project's backup; null on the caller's own. */
  share: Member | null;
}

type Who = Pick<Caller, "projectId">;

const missing = (id: Id): DomainError => new DomainError("backupNotFound", `There is no backup ${id} in this project.`);

/**
 * The one place that decides whose bytes a caller may read: backups of its project, and those of others, with the disk backups inside them, that are
 * shared with it while it accepts the share.
 * @throws DomainError `backupNotFound`, also for what is not shared, not accepted, or not shared any more
 */
export async function findReadableBackup(tables: Tables, who: Who, id: Id): Promise<Readable> {
  const own = await tables.backups.get(who.projectId, id);
  if (own !== undefined) return { backup: own, share: null };
  const share = await tables.members.accepted(who.projectId, id);
  const backup = share && (await tables.backups.get(share.projectId, id));
  if (share === undefined || backup === undefined) throw missing(id);
  return { backup, share };
}

/**
 * As {@link findReadableBackup}, with what a rendering needs; of another project's backup only what is its receiver's business.
 * @throws DomainError `backupNotFound`
 */
export async function findReadableView(tables: Tables, who: Who, id: Id): Promise<BackupView> {
  const own = await tables.backups.view(who.projectId, id);
  if (own !== undefined) return own;
  const share = await tables.members.accepted(who.projectId, id);
  const view = share && (await tables.backups.view(share.projectId, id));
  if (share === undefined || view === undefined) throw missing(id);
  return receivedView(tables, view, share);
}

/** Whether a receiver can read the bytes: that its owner restores it is none of the receiver's business. */
export const isReadableStatus = (status: BackupStatus): boolean => ["available", "waiting_restore", "restoring"].includes(status);

/** A backup as the project sees it that it is shared with: nothing of the owner's vault, chain, snapshots, people or other backups. */
export async function receivedView(tables: Tables, view: BackupView, share: Member): Promise<BackupView> {
  if (share.status !== "accepted") return offeredView(view);
  const vault = share.vaultId === null ? undefined : await tables.vaults.get(share.destProjectId, share.vaultId);
  const restores = await restoresOf(tables, view.backup.parentId ?? view.backup.id, share.destProjectId);
  const restoring = restores.some((task) => task.status === "running") ? "restoring" : restores.length > 0 ? "waiting_restore" : "available";
  const seen = (backup: Backup): Backup => ({
    ...unrelated(backup),
    status: isReadableStatus(backup.status) ? restoring : backup.status,
    vaultId: share.vaultId ?? "",
  });
  return {
    ...alone,
    backup: seen(view.backup),
    children: view.children.map(seen),
    enterpriseProjectId: vault?.enterpriseProjectId ?? "0",
  };
}

/** Facts of a view that tell of more than the backup itself. */
const alone = { hasDependents: false, chainStoredBytes: 0, resourceExists: false, replications: [] } satisfies Partial<BackupView>;

const unrelated = (backup: Backup): Backup => ({
  ...backup,
  userId: "",
  taskId: null,
  baseId: null,
  chainId: backup.id,
  snapshotId: null,
  metadata: {},
  volumeMetadata: {},
});

/** What has to be told so that a share can be answered: name, kind, size and times. */
function offeredView({ backup }: BackupView): BackupView {
  return {
    ...alone,
    backup: {
      ...unrelated(backup),
      status: isReadableStatus(backup.status) ? "available" : backup.status,
      description: null,
      vaultId: "",
      checkpointId: "",
      resourceId: "",
      resourceName: "",
      resourceAz: null,
      architecture: null,
      rootKey: null,
    },
    children: [],
    enterpriseProjectId: "0",
  };
}

/** Restores from a shared backup, or a disk backup inside it, that wait or run in another project than its owner's. */
async function restoresOf(tables: Tables, backupId: Id, receiver?: ProjectId) {
  const found = [];
  for (const id of [backupId, ...(await tables.backups.children(backupId)).map((child) => child.id)]) found.push(...(await openRestores(tables, id)));
  return receiver === undefined ? found : found.filter((task) => task.projectId === receiver);
}

const openRestores = async (tables: Tables, backupId: Id) =>
  (await tables.tasks.openTasks({ backupId })).filter((task) => task.type === "restore" && task.input["ownerProjectId"] !== undefined);

/**
 * Stops what receivers restore from a backup, of one receiver or of all: what may not be read any more is not finished. A restore checks its right
 * again when it begins and before it replaces anything, so that it fails even when it does not hear of this in time.
 */
export async function stopReceivedRestores(tables: Tables, backupId: Id, now: TimestampUs, receiver?: ProjectId): Promise<void> {
  for (const task of await restoresOf(tables, backupId, receiver)) await tables.tasks.requestCancel(task.id, now);
}
