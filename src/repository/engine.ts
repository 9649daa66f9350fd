import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { Remote } from "#platform/threads.ts";
import type { StoreCount } from "#storage/counting.ts";
import { asEngineError } from "./engine-errors.ts";
import { RepositoryError } from "./engine-types.ts";
import type {
  BackupDamage,
  BackupOutcome,
  CheckOutcome,
  Engine,
  EngineOptions,
  ReplicateOutcome,
  RestoreOutcome,
  RootDescription,
} from "./engine-types.ts";

/**
 * Opens or creates the repository in its own thread. The caller's thread only exchanges small messages with it.
 * Every method rejects with a {@link RepositoryError}; once the thread has died, with `engineStopped`.
 * @throws RepositoryError `wrongMasterKey`, `notARepository`, `newerFormat`, `noSpace`, `readOnly`, `storeUnavailable`
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  // Threads inherit priority: the pool that does file work for the whole process must be started from here, not from a thread that yields.
  await stat(".").catch(() => undefined);
  const worker = new Worker(new URL("./engine-thread.ts", import.meta.url), { workerData: options, execArgv: [], name: "engine" });
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  const remote = new Remote(worker, asEngineError);
  worker.on("error", (error: Error) => remote.fail(new RepositoryError("engineStopped", `the engine's thread died: ${error.message}`, error)));
  worker.on("exit", () => remote.fail(new RepositoryError("engineStopped", "the engine has stopped")));
  const opened = await remote.call("open", null).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  let closing: Promise<void> | undefined;
  return {
    ...(opened as Pick<Engine, "repositoryId" | "store">),
    backup: (request, control) => remote.call("backup", request, control) as Promise<BackupOutcome>,
    replicate: (request, control) => remote.call("replicate", request, control) as Promise<ReplicateOutcome>,
    readOffer: (request) => remote.call("readOffer", request) as Promise<Uint8Array>,
    restore: (request, control) => remote.call("restore", request, control) as Promise<RestoreOutcome>,
    discardRoot: (tenant, backupId) => remote.call("discardRoot", [tenant, backupId]) as Promise<void>,
    listDeleted: (tenant) => remote.call("listDeleted", tenant) as ReturnType<Engine["listDeleted"]>,
    readDeletedRoot: (tenant, backupId) => remote.call("readDeletedRoot", [tenant, backupId]) as Promise<RootDescription | undefined>,
    undelete: (tenant, backupId) => remote.call("undelete", [tenant, backupId]) as Promise<boolean>,
    collect: (request, control) => remote.call("collect", request, control) as ReturnType<Engine["collect"]>,
    check: (request, control) => remote.call("check", request, control) as Promise<CheckOutcome>,
    storeCounts: () => remote.call("storeCounts", null) as Promise<StoreCount[]>,
    storedBytes: (tenant) => remote.call("storedBytes", tenant) as Promise<number>,
    damage: (tenant, backupId) => remote.call("damage", [tenant, backupId]) as Promise<BackupDamage[]>,
    readRange: (request) => remote.call("readRange", request) as Promise<Uint8Array>,
    deleteRoot: (tenant, backupId) => remote.call("deleteRoot", [tenant, backupId]) as Promise<void>,
    readRoot: (tenant, backupId) => remote.call("readRoot", [tenant, backupId]) as Promise<RootDescription | undefined>,
    listRoots: (tenant) => remote.call("listRoots", tenant) as Promise<string[]>,
    isShredded: (tenant) => remote.call("isShredded", tenant) as Promise<boolean>,
    listTenants: () => remote.call("listTenants", null) as Promise<string[]>,
    writeState: (tenant, nowUs, document) => remote.call("writeState", { tenant, nowUs, document }) as Promise<number>,
    readState: (tenant) => remote.call("readState", tenant) as ReturnType<Engine["readState"]>,
    close: () => (closing ??= remote.call("close", null).then(() => exited)),
  };
}
