import { rm } from "node:fs/promises";
import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Context } from "../context.ts";
import { storageSnapshotPath } from "../support/paths.ts";
import { describeFailure } from "./failure.ts";

/** Removes what the store and the data folder hold of a backup and the disks inside it; the rows stay, `deleting`. May be repeated. */
export async function removeBackupData(context: Context, backup: Backup): Promise<void> {
  const family = [backup, ...(await context.catalog.backups.children(backup.id))];
  for (const each of family) await context.catalog.backups.transition(each.id, "deleting", { updatedAt: context.clock.nowUs() }, ["waiting_delete"]);
  for (const each of family) {
    if (each.resourceType !== "OS::Nova::Server") await context.engine.deleteRoot(each.projectId, each.id);
    if (each.snapshotId !== null) await rm(storageSnapshotPath(context.settings, each, each.snapshotId), { force: true });
  }
}

/** Removes the rows: the backup is gone, and its restore point with it when it was the last. */
export async function removeBackupRows(tables: Tables, backup: Backup): Promise<void> {
  for (const child of await tables.backups.children(backup.id)) await tables.backups.remove(child.id);
  await tables.backups.remove(backup.id);
  await tables.checkpoints.settle(backup.checkpointId);
  await tables.replications.forget(backup.id);
}

/** A deletion that did not succeed leaves an error behind, never an available backup. */
export async function markDeletionFailed(tables: Tables, backup: Backup, error: unknown, updatedAt: number): Promise<void> {
  const failReason = `The deletion failed: ${describeFailure(error).message}`;
  for (const each of [backup, ...(await tables.backups.children(backup.id))]) {
    await tables.backups.transition(each.id, "error", { failReason, updatedAt }, ["waiting_delete", "deleting"]);
  }
}
