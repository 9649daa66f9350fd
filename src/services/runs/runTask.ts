import type { TaskType } from "#model/task.ts";
import { runBackup } from "./runBackup.ts";
import { runCheck } from "./runCheck.ts";
import { runCollect } from "./runCollect.ts";
import { runDelete } from "./runDelete.ts";
import { runRemoveResource } from "./runRemoveResource.ts";
import { runReplica } from "./runReplica.ts";
import { runReplication } from "./runReplication.ts";
import { runRestore } from "./runRestore.ts";
import { runSync } from "./runSync.ts";
import { runVaultDelete } from "./runVaultDelete.ts";
import type { TaskRun } from "./run.ts";

const runs: Record<TaskType, (run: TaskRun) => Promise<void>> = {
  backup: runBackup,
  restore: runRestore,
  delete: runDelete,
  remove_resource: runRemoveResource,
  vault_delete: runVaultDelete,
  check: runCheck,
  collect: runCollect,
  replication: runReplication,
  replica: runReplica,
  sync: runSync,
};

/** Does what a claimed task asks for and ends it. Only what could not even be recorded is thrown. */
export const runTask = (run: TaskRun): Promise<void> => runs[run.task.type](run);
