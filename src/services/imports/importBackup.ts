import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { checkName } from "../support/checks.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";
import { importStore } from "./import-stores.ts";

/** A backup as the request names it. */
export interface ImportItem {
  backupId: Id;
  backupName: string;
  /** The import store that it is in. */
  store: string;
  /** The project that it belongs to there. */
  tenant: string;
  resourceId: Id;
  resourceName: string;
  resourceType: string;
}

/**
 * Queues the import of backups from stores that the operator has laid out for the project: all or none. Tells the task of each.
 * @throws DomainError `invalidRequest` for a store that is not there and an id that is given twice; `conflict` for one that is known already;
 * `syncRunning` for one that is being imported
 */
export async function importBackup(context: Context, caller: Caller, items: readonly ImportItem[]): Promise<{ backupId: Id; taskId: Id }[]> {
  if (new Set(items.map(({ backupId }) => backupId)).size < items.length)
    throw new DomainError("invalidRequest", "sync: the same backup_id is given twice", { field: "sync" });
  for (const { store } of items) await importStore(context.settings, caller.projectId, store);
  const queued = await context.catalog.transaction(async (tables) => {
    const tasks: { backupId: Id; taskId: Id }[] = [];
    for (const item of items) tasks.push({ backupId: item.backupId, taskId: await queue(context, tables, caller, item) });
    return tasks;
  });
  context.wake();
  return queued;
}

async function queue(context: Context, tables: Tables, caller: Caller, item: ImportItem): Promise<Id> {
  const { backupId, store, tenant, resourceId } = item;
  const name = checkName(item.backupName, "backup_name");
  if ((await tables.backups.get(caller.projectId, backupId)) !== undefined)
    throw new DomainError("conflict", `backup_id: backup ${backupId} is known here already`, { field: "backup_id" });
  if ((await tables.tasks.openTasks({ backupId })).some((task) => task.type === "sync"))
    throw new DomainError("syncRunning", `backup_id: backup ${backupId} is being imported`, { field: "backup_id" });
  const task = newTask(context, {
    projectId: caller.projectId,
    type: "sync",
    backupId,
    backupName: name,
    resourceId,
    resourceName: item.resourceName,
    resourceType: item.resourceType,
    requestId: caller.requestId,
    input: asInput({ backup: { store, tenant, backupId, name, resourceId }, userId: caller.userId }),
  });
  await tables.tasks.insert(task);
  return task.id;
}
