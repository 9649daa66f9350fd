import { errorKinds } from "#model/errors.ts";
import { removeAll } from "./remove-all.ts";
import { finishTask } from "./run.ts";
import type { TaskRun } from "./run.ts";

/** Deletes a resource's backups in a vault, then unbinds it. May be repeated from the start after a crash. */
export async function runRemoveResource(run: TaskRun): Promise<void> {
  const { context, task } = run;
  const removed = await removeAll(run, task.vaultId!, task.resourceId!);
  await context.catalog.transaction(async (tables) => {
    const now = context.clock.nowUs();
    if (removed.failCount > 0) {
      const errorMessage = `${removed.failCount} of ${removed.totalCount} backups could not be deleted; the resource stays in the vault.`;
      await finishTask(tables, task, {
        status: "failed",
        now,
        errorCode: errorKinds.resourceRemovalFailed.cbr,
        errorMessage,
        result: { ...removed },
      });
      return;
    }
    await finishTask(tables, task, { status: "success", now, result: { ...removed } });
    await tables.vaults.unbind(task.vaultId!, task.resourceId!);
  });
}
