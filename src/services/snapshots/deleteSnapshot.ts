import { rm } from "node:fs/promises";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findSnapshot } from "../support/find.ts";
import { localPath } from "../support/paths.ts";
import { backupInput } from "../support/task-input.ts";
import { isCopiedFrom } from "../support/holds.ts";

/**
 * Removes a snapshot and its file at once.
 * @throws DomainError `snapshotNotFound`, `snapshotStatusWrong` while it is made, backed up or copied
 */
export async function deleteSnapshot(context: Context, caller: Caller, input: { snapshotId: Id }): Promise<void> {
  const snapshot = await context.catalog.transaction(async (tables) => {
    const found = await findSnapshot(tables, caller, input.snapshotId);
    if (found.status === "creating") throw new DomainError("snapshotStatusWrong", `Snapshot ${found.id} is still being made.`);
    if (isCopiedFrom(context, found.id)) throw new DomainError("snapshotStatusWrong", `Snapshot ${found.id} is being copied to a volume.`);
    const tasks = await tables.tasks.openTasks({ resourceId: found.volumeId });
    if (tasks.some((task) => task.type === "backup" && backupInput(task).snapshotId === found.id)) {
      throw new DomainError("snapshotStatusWrong", `Snapshot ${found.id} is being backed up.`);
    }
    await tables.snapshots.update(found.id, { status: "deleting", updatedAt: context.clock.nowUs() });
    return found;
  });
  await rm(localPath(context.settings, snapshot.id), { force: true });
  await context.catalog.snapshots.remove(snapshot.id);
}
