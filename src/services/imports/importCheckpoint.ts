import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { providerIds } from "#model/provider.ts";
import type { Context } from "../context.ts";
import { findVault } from "../support/find.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";

/**
 * Queues a search for backups of a vault that the catalog does not know: in the service's own store, and in the project's import stores.
 * Tells the task.
 * @throws DomainError `vaultNotFound`; `vaultCannotSync` when it is not available or holds replicas; `syncRunning`
 */
export async function importCheckpoint(context: Context, caller: Caller, { vaultId }: { vaultId: Id }): Promise<Id> {
  const taskId = await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, vaultId);
    if (vault.status !== "available" && vault.status !== "lock")
      throw new DomainError("vaultCannotSync", `Vault ${vault.id} is ${vault.status}; a sync needs it available.`);
    if (vault.protectType !== "backup")
      throw new DomainError("vaultCannotSync", `Vault ${vault.id} holds replicas: backups are not imported into it.`);
    if ((await tables.tasks.openTasks({ vaultId })).some((task) => task.type === "sync"))
      throw new DomainError("syncRunning", `A sync of vault ${vault.id} is under way.`);
    const task = newTask(context, {
      projectId: caller.projectId,
      type: "sync",
      vaultId: vault.id,
      vaultName: vault.name,
      providerId: providerIds[vault.objectType],
      requestId: caller.requestId,
      input: asInput({ userId: caller.userId }),
    });
    await tables.tasks.insert(task);
    return task.id;
  });
  context.wake();
  return taskId;
}
