import type { BackupView, Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Snapshot, Volume } from "#model/resource.ts";
import { isSystemDisk } from "../checkpoints/createCheckpoint.ts";
import type { Context } from "../context.ts";
import { diskBackup, generatedName, insertBackup, newCheckpoint, takeForBackup } from "../support/backup-rows.ts";
import { refuseFullVault } from "../support/capacity.ts";
import { checkLooseDescription, checkLooseName, checkMetadata } from "../support/checks.ts";
import { implicitVault } from "../support/implicit-vault.ts";
import { findBackupView, findSnapshot, findVolume } from "../support/find.ts";

export interface CreateVolumeBackupInput {
  volumeId: Id;
  /** Back up this snapshot of the volume instead of the volume itself. */
  snapshotId?: Id;
  name?: string | null;
  description?: string | null;
  /** True: refuse if there is no base. False: full. "auto": incremental where there is a base. */
  incremental: boolean | "auto";
  /** Allow the backup of an attached (in-use) volume. */
  force?: boolean;
  metadata?: Record<string, string>;
  viaCloudbackups?: boolean;
}

/**
 * Queues a backup of one volume, as Block Storage does: in a restore point of its own, in the project's implicit vault.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids`, `snapshotNotFound`, `snapshotOfOtherVolume`, `snapshotStatusWrong`,
 * `noIncrementalBase`, `vaultStatusForbidsBackup`, `vaultFull`, `invalidRequest`
 */
export async function createVolumeBackup(context: Context, caller: Caller, input: CreateVolumeBackupInput): Promise<BackupView> {
  const name = input.name === undefined || input.name === null ? null : checkLooseName(input.name, "name");
  const description = checkLooseDescription(input.description, "description");
  const metadata = checkMetadata(input.metadata, "metadata");
  const view = await context.catalog.transaction(async (tables) => {
    const volume = await findVolumeToBackUp(tables, caller, input.volumeId);
    const snapshot = input.snapshotId === undefined ? undefined : await usableSnapshot(tables, caller, volume, input.snapshotId);
    const base = await tables.backups.newestBase(caller.projectId, volume.id, snapshot?.createdAt);
    if (input.incremental === true && base === undefined) {
      throw new DomainError(
        "noIncrementalBase",
        `Volume ${volume.id} has no available backup in this project that an incremental one could build on.`,
        {
          field: "incremental",
        },
      );
    }
    const vault = await implicitVault(context, tables, caller, "disk");
    await refuseFullVault(context, tables, vault);
    // A snapshot is frozen: the volume itself stays free.
    const previousStatus = snapshot === undefined ? await take(context, tables, volume, input.force === true) : null;
    const checkpoint = newCheckpoint(context, vault, { name: name ?? generatedName(context, vault, false), description });
    await tables.checkpoints.insert(checkpoint);
    const incremental = input.incremental !== false;
    const run = { caller, vault, checkpoint, autoTrigger: false, incremental };
    const backup = diskBackup(context, run, volume, await isSystemDisk(tables, volume.id), {
      name,
      metadata,
      snapshotId: snapshot?.id ?? null,
      viaCloudbackups: input.viaCloudbackups ?? false,
      ...(snapshot === undefined ? {} : { resourceSizeGib: snapshot.sizeGib }),
    });
    const disks = [{ backupId: backup.id, volumeId: volume.id, previousStatus }];
    await insertBackup(context, tables, run, backup, [], { disks, incremental, snapshotId: snapshot?.id ?? null });
    return findBackupView(tables, caller, backup.id);
  });
  context.wake();
  return view;
}

/** An administrator may back up any project's volume, as in Cinder: the backup is the administrator's project's. */
async function findVolumeToBackUp(tables: Tables, caller: Caller, id: Id): Promise<Volume> {
  const foreign = caller.roles.includes("admin") ? await tables.resources.findVolume(id) : undefined;
  return foreign ?? findVolume(tables, caller, id);
}

async function usableSnapshot(tables: Tables, caller: Caller, volume: Volume, id: Id): Promise<Snapshot> {
  const snapshot = await findSnapshot(tables, caller, id);
  if (snapshot.volumeId !== volume.id) {
    throw new DomainError("snapshotOfOtherVolume", `snapshot_id: ${id} is not a snapshot of volume ${volume.id}`, { field: "snapshot_id" });
  }
  if (snapshot.status !== "available") {
    throw new DomainError("snapshotStatusWrong", `snapshot_id: the snapshot is ${snapshot.status}, not available`, { field: "snapshot_id" });
  }
  return snapshot;
}

async function take(context: Context, tables: Tables, volume: Volume, force: boolean): Promise<"available" | "in-use"> {
  if (volume.status === "in-use" && !force) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is in-use; its backup must be asked for with force.`);
  }
  const previous = await takeForBackup(tables, volume, context.clock.nowUs());
  if (previous === "available" || previous === "in-use") return previous;
  throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; a backup needs it available or in-use.`);
}
