import { rm } from "node:fs/promises";
import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Snapshot, Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { findVolume } from "../support/find.ts";
import { isCopiedFrom, refuseWhileCopied } from "../support/holds.ts";
import { isLocal, localPath } from "../support/paths.ts";
import { dropStorageSnapshots } from "../support/storage-snapshots.ts";
import { changesOf } from "../support/volume-changes.ts";
import { takeVolume } from "../support/volume-rows.ts";

/**
 * Removes a volume; of a file volume only the entry, never the operator's file. Its backups stay; a vault that it was bound to lets it go.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids` (attached, busy, being copied, or with snapshots and no `cascade`)
 */
export async function deleteVolume(context: Context, caller: Caller, input: { volumeId: Id; cascade?: boolean }): Promise<void> {
  const { volume, snapshots } = await context.catalog.transaction((tables) => begin(context, tables, caller, input));
  await removeVolumeFiles(context, volume, snapshots);
}

async function begin(context: Context, tables: Tables, caller: Caller, input: { volumeId: Id; cascade?: boolean }) {
  const now = context.clock.nowUs();
  const volume = await findVolume(tables, caller, input.volumeId);
  refuseWhileCopied(context, volume.id);
  const open = await tables.tasks.openTasks({ resourceId: volume.id });
  if (open.some((task) => task.type === "backup" || task.type === "restore")) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} has a backup or restore under way.`);
  }
  const snapshots = await snapshotsOf(tables, volume);
  if (snapshots.length > 0 && input.cascade !== true) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} has snapshots; delete them first, or delete with cascade.`);
  }
  if (snapshots.some((snapshot) => snapshot.status === "creating" || isCopiedFrom(context, snapshot.id))) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} has a snapshot that is being made or copied.`);
  }
  await takeVolume(tables, volume, ["available", "error", "error_restoring", "error_deleting"], "deleting", now);
  for (const snapshot of snapshots) await tables.snapshots.update(snapshot.id, { status: "deleting", updatedAt: now });
  return { volume, snapshots };
}

export async function snapshotsOf(tables: Tables, volume: Volume): Promise<Snapshot[]> {
  return (await tables.snapshots.list(volume.projectId, { volumeId: volume.id }, { limit: 1000, offset: 0 })).items;
}

/** The rest of a deletion that has begun: files, then rows. May be repeated. */
export async function removeVolumeFiles(context: Context, volume: Volume, snapshots: readonly Snapshot[]): Promise<void> {
  try {
    for (const snapshot of snapshots) {
      await rm(localPath(context.settings, snapshot.id), { force: true });
      await context.catalog.snapshots.remove(snapshot.id);
    }
    await dropStorageSnapshots(context, volume.projectId, volume.id);
    const path = localPath(context.settings, volume.id);
    if (isLocal(volume.locator)) await changesOf(context, volume.id).replace(() => rm(path, { force: true }));
    await context.catalog.resources.remove(volume.id);
  } catch (error) {
    await context.catalog.resources.update(volume.id, { status: "error_deleting", updatedAt: context.clock.nowUs() });
    throw error;
  }
}
