import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "#catalog/tables.ts";
import type { Resource, Snapshot, Volume, VolumeStatus } from "#model/resource.ts";
import type { Context } from "#services/context.ts";
import { recoverTask } from "#services/runs/recoverTask.ts";
import { localPath, parseStorageSnapshotName, partSuffix } from "#services/support/paths.ts";
import { removeVolumeFiles, snapshotsOf } from "#services/volumes/deleteVolume.ts";

/**
 * Once at the start, before anything is claimed or answered: puts right what the earlier life of this worker was in the middle of.
 * Safe to repeat. Nothing that a catalog row still stands for is removed.
 */
export async function recover(context: Context, owner: string): Promise<void> {
  await mkdir(context.settings.volumesPath, { recursive: true, mode: 0o700 });
  const left = await context.catalog.tasks.runningOf(owner);
  for (const task of left) {
    context.log.warn({ taskId: task.id, type: task.type, backupId: task.backupId }, "a task was interrupted");
    await recoverTask(context, task);
  }
  await recoverVolumes(context);
  await recoverSnapshots(context);
  await sweepFiles(context);
  await sweepRoots(context);
}

/** All items of a list, gathered before anything is changed. */
async function all<T>(list: (page: Page) => Promise<{ items: T[]; count: number }>): Promise<T[]> {
  const found: T[] = [];
  for (;;) {
    const { items, count } = await list({ limit: 1000, offset: found.length });
    found.push(...items);
    if (items.length === 0 || found.length >= count) return found;
  }
}

const isVolume = (resource: Resource): resource is Volume => resource.type === "OS::Cinder::Volume";

async function volumesIn(context: Context, status: VolumeStatus): Promise<Volume[]> {
  const filter = { type: "OS::Cinder::Volume" as const, status, allProjects: true };
  return (await all((page) => context.catalog.resources.list("", filter, page))).filter(isVolume);
}

/** Volumes in a passing state that no task will ever take them out of. */
async function recoverVolumes(context: Context): Promise<void> {
  const { catalog, clock } = context;
  const owned = await volumesOfOpenTasks(context);
  for (const volume of await volumesIn(context, "creating")) {
    if (owned.has(volume.id)) continue;
    await rm(localPath(context.settings, volume.id), { force: true });
    await catalog.resources.transition(volume.id, ["creating"], "error", clock.nowUs());
  }
  for (const volume of await volumesIn(context, "backing-up")) {
    if (owned.has(volume.id)) continue;
    const attached = (await catalog.resources.serversOf(volume.id)).length > 0;
    await catalog.resources.transition(volume.id, ["backing-up"], attached ? "in-use" : "available", clock.nowUs());
  }
  for (const volume of await volumesIn(context, "restoring-backup")) {
    if (!owned.has(volume.id)) await catalog.resources.transition(volume.id, ["restoring-backup"], "error_restoring", clock.nowUs());
  }
  for (const volume of await volumesIn(context, "deleting")) await removeVolumeFiles(context, volume, await snapshotsOf(catalog, volume));
}

/** Volumes that a waiting or running backup or restore still holds. */
async function volumesOfOpenTasks(context: Context): Promise<Set<string>> {
  const held = new Set<string>();
  for (const status of ["waiting", "running"] as const) {
    for (const type of ["backup", "restore"] as const) {
      for (const task of await all((page) => context.catalog.tasks.list("", { status, type, allProjects: true }, page))) {
        const entries = (task.input["disks"] ?? task.input["targets"]) as { volumeId: string }[];
        for (const { volumeId } of entries) held.add(volumeId);
      }
    }
  }
  return held;
}

async function recoverSnapshots(context: Context): Promise<void> {
  const inState = (status: Snapshot["status"]): Promise<Snapshot[]> =>
    all((page) => context.catalog.snapshots.list("", { status, allProjects: true }, page));
  for (const snapshot of await inState("creating")) {
    await rm(localPath(context.settings, snapshot.id), { force: true });
    await context.catalog.snapshots.update(snapshot.id, { status: "error", updatedAt: context.clock.nowUs() });
  }
  for (const snapshot of await inState("deleting")) {
    await rm(localPath(context.settings, snapshot.id), { force: true });
    await context.catalog.snapshots.remove(snapshot.id);
  }
}

/** Files that are not whole, and storage snapshots that no backup keeps. Whole volumes and snapshots are never removed here. */
async function sweepFiles(context: Context): Promise<void> {
  const { volumesPath } = context.settings;
  for (const name of await readdir(volumesPath)) {
    const of = parseStorageSnapshotName(name);
    const isPart = name.endsWith(partSuffix);
    const kept = of !== undefined && (await context.catalog.backups.get(of.projectId, of.backupId))?.snapshotId === of.snapshotId;
    if (!isPart && (of === undefined || kept)) continue;
    context.log.info({ file: name }, "a left-over file is removed");
    await rm(join(volumesPath, name), { force: true });
  }
}

/** Root objects of backups that failed: their removal was interrupted. A root without a row is left: the catalog may be the one that is wrong. */
async function sweepRoots(context: Context): Promise<void> {
  const { catalog, engine, log } = context;
  for (const project of await catalog.identity.listProjects({})) {
    for (const backupId of await engine.listRoots(project.id)) {
      const backup = await catalog.backups.get(project.id, backupId);
      if (backup === undefined) log.warn({ projectId: project.id, backupId }, "the store holds a backup that the catalog does not know");
      else if (backup.status === "error" && backup.rootKey === null) await engine.discardRoot(project.id, backupId);
    }
  }
}
