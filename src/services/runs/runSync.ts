import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { foundBackups } from "../imports/found-backups.ts";
import type { FoundBackup } from "../imports/found-backups.ts";
import { importStore, importStores, openImportStore } from "../imports/import-stores.ts";
import type { ImportStore } from "../imports/import-stores.ts";
import { syncInput } from "../support/task-input.ts";
import type { SyncTaskInput } from "../support/task-input.ts";
import { adoptBackup } from "./adopt-backup.ts";
import { describeFailure, failedEnd } from "./failure.ts";
import { listUnknownRoots } from "./list-unknown-roots.ts";
import { finishTask, StaleTaskError, TaskStop } from "./run.ts";
import type { TaskRun } from "./run.ts";

/** What a sync has done. Reasons are for the log and the task: one for each backup that could not be made visible. */
interface Told {
  synced: number;
  failed: number;
  reasons: string[];
}
const reasonsKept = 20;

/**
 * Makes backups visible that the catalog does not know: one of an import store, or all that belong to a vault. May be repeated from the start. A
 * single backup that cannot be imported fails the task; of a vault's, each one that cannot is counted and told.
 */
export async function runSync(run: TaskRun): Promise<void> {
  const { context, task, control } = run;
  const { backup } = syncInput(task);
  const told: Told = { synced: 0, failed: 0, reasons: [] };
  try {
    if (backup === undefined) await syncVault(run, task.vaultId!, told);
    else await importOne(run, backup, told);
    control.signal.throwIfAborted();
    await context.catalog.transaction((tables) =>
      finishTask(tables, task, { status: "success", now: context.clock.nowUs(), result: { ...told }, progress: control.latest() }),
    );
  } catch (error) {
    const reason: unknown = control.signal.reason;
    const stop = reason instanceof TaskStop ? reason.kind : undefined;
    // The next life of the service, or whoever took the task over, goes on with it.
    if (error instanceof StaleTaskError || stop === "leaseLost" || stop === "shutdown") throw error;
    const failure = describeFailure(error, control.signal);
    context.log.warn({ err: error, taskId: task.id, reason: failure.message }, "a sync failed");
    const result = { ...told, failed: told.failed + (backup === undefined ? 0 : 1) };
    await context.catalog.transaction((tables) => finishTask(tables, task, { ...failedEnd(failure, context.clock.nowUs()), result }));
  }
}

async function importOne(run: TaskRun, wanted: NonNullable<SyncTaskInput["backup"]>, told: Told): Promise<void> {
  const { context, task } = run;
  const store = await importStore(context.settings, task.projectId, wanted.store);
  for await (const found of foundBackups(await openImportStore(store), wanted.tenant)) {
    const inside = found.disks.find(({ backup }) => backup.id === wanted.backupId);
    if (found.top.id !== wanted.backupId && inside === undefined) continue;
    if (found.top.id !== wanted.backupId)
      throw new DomainError("invalidRequest", `backup_id: ${wanted.backupId} is a disk of server backup ${found.top.id}; import that one`);
    if (found.top.resourceId !== wanted.resourceId)
      throw new DomainError("invalidRequest", `resource_id: backup ${wanted.backupId} is of resource ${found.top.resourceId}`);
    if (await isKnown(run, found.top.id)) return;
    await adoptBackup(run, store, found, { name: wanted.name });
    told.synced += 1;
    return;
  }
  throw new DomainError(
    "backupNotFound",
    `There is no readable backup ${wanted.backupId} of project ${wanted.tenant} in import store ${store.name}.`,
  );
}

async function syncVault(run: TaskRun, vaultId: Id, told: Told): Promise<void> {
  const { context, task, control } = run;
  told.synced += await listUnknownRoots(context, task.projectId, vaultId);
  for (const store of await importStores(context.settings, task.projectId)) {
    for await (const found of inStore(run, store, told)) {
      control.signal.throwIfAborted();
      if (found.top.vaultId !== vaultId || (await isKnown(run, found.top.id))) continue;
      try {
        await adoptBackup(run, store, found, { vaultId });
        told.synced += 1;
      } catch (error) {
        if (control.signal.aborted) throw error;
        note(run, told, found.top.id, error);
      }
    }
  }
}

/** What is in a store; one that cannot be read counts as a failure and holds nothing. */
async function* inStore(run: TaskRun, store: ImportStore, told: Told): AsyncIterable<FoundBackup> {
  try {
    yield* foundBackups(await openImportStore(store));
  } catch (error) {
    if (run.control.signal.aborted) throw error;
    note(run, told, `store ${store.name}`, error);
  }
}

function note({ context, task }: TaskRun, told: Told, what: string, error: unknown): void {
  const { message } = describeFailure(error);
  context.log.warn({ err: error, taskId: task.id, what }, "a backup could not be made visible");
  told.failed += 1;
  if (told.reasons.length < reasonsKept) told.reasons.push(`${what}: ${message}`);
}

const isKnown = async ({ context, task }: TaskRun, backupId: Id): Promise<boolean> =>
  (await context.catalog.backups.get(task.projectId, backupId)) !== undefined;
