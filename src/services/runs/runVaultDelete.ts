import { errorKinds } from "#model/errors.ts";
import { removeAll } from "./remove-all.ts";
import { finishTask } from "./run.ts";
import type { TaskRun } from "./run.ts";

/** Deletes a vault's backups, then the vault. May be repeated from the start after a crash. */
export async function runVaultDelete(run: TaskRun): Promise<void> {
  const { context, task } = run;
  const vaultId = task.vaultId!;
  const removed = await removeAll(run, vaultId);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    if (removed.failCount > 0) {
      const errorMessage = `${removed.failCount} of ${removed.totalCount} backups could not be deleted.`;
      await finishTask(tables, task, { status: "failed", now, errorCode: errorKinds.vaultDeletionFailed.cbr, errorMessage, result: { ...removed } });
      await tables.vaults.update(vaultId, { status: "error", updatedAt: now });
      return;
    }
    await finishTask(tables, task, { status: "success", now, result: { ...removed } });
    for (const { resourceId } of await tables.vaults.resourcesOf(vaultId)) await tables.vaults.unbind(vaultId, resourceId);
    await tables.vaults.remove(vaultId);
  });
}
