import type { Bars } from "./bars.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./errors.ts";
import { taskFailure, tasksOfCheckpoint, until, watchTask } from "./tasks.ts";
import type { WireBackup } from "./wire.ts";

export type Dialect = "cbr" | "vbs3" | "vbs2";
export const dialects: readonly Dialect[] = ["cbr", "vbs3", "vbs2"];

/** ShowBackup as one dialect answers it. */
export function showBackupIn<T = { backup: object }>(client: Client, dialect: Dialect, id: string): Promise<T> {
  const path = `backups/${encodeURIComponent(id)}`;
  if (dialect === "vbs2") return client.vbs<T>("GET", path);
  return dialect === "vbs3" ? client.volume<T>("GET", path) : client.cbr<T>("GET", path);
}

export const showBackup = async (client: Client, id: string): Promise<WireBackup> =>
  (await showBackupIn<{ backup: WireBackup }>(client, "cbr", id)).backup;

export interface RunRequest {
  vaultId: string;
  name?: string;
  description?: string;
  incremental?: boolean;
  resourceIds?: string[];
  retentionDays?: number;
}

interface WireCheckpoint {
  id: string;
  vault: { skipped_resources?: { id: string; name: string; code: string; reason: string }[] };
}

/** Backs up what a vault protects and follows it to the end; gives the backups of the run. A failed one is an error. */
export async function runBackups(client: Client, request: RunRequest, bars: Bars): Promise<WireBackup[]> {
  const parameters = {
    ...(request.name === undefined ? {} : { name: request.name }),
    ...(request.description === undefined ? {} : { description: request.description }),
    ...(request.incremental === undefined ? {} : { incremental: request.incremental }),
    ...(request.retentionDays === undefined ? {} : { retention_duration: request.retentionDays }),
    ...(request.resourceIds === undefined || request.resourceIds.length === 0 ? {} : { resources: request.resourceIds }),
  };
  const { checkpoint } = await client.cbr<{ checkpoint: WireCheckpoint }>("POST", "checkpoints", {
    checkpoint: { vault_id: request.vaultId, parameters },
  });
  const tasks = await until("the run's tasks", 60, async () => {
    const found = (await tasksOfCheckpoint(client, request.vaultId, checkpoint.id)).filter((task) => task.status !== "skipped");
    return found.length > 0 ? found : undefined;
  });
  const ended = await Promise.all(tasks.map((task) => watchTask(client, task.id, bars)));
  const failures = ended.filter((task) => task.status !== "success").map(taskFailure);
  const skipped = (checkpoint.vault.skipped_resources ?? []).map((resource) => `${resource.name} was skipped: ${resource.reason} (${resource.code})`);
  if (failures.length + skipped.length > 0) throw new CommandError([...failures, ...skipped].join("; "));
  return (await client.cbr<{ backups: WireBackup[] }>("GET", `backups?checkpoint_id=${checkpoint.id}&limit=1000`)).backups;
}
