import type { Bars } from "./bars.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./errors.ts";
import { taskSuccess, until } from "./tasks.ts";
import { showVolume } from "./transfer.ts";
import type { WireTask, WireVolume } from "./wire.ts";

/** The first version of Block Storage that makes volumes of backups. */
const fromBackup = { "openstack-api-version": "volume 3.47" };

/** Restores a disk backup, also one that another project shares, to a new volume and follows it to the end. */
export async function restoreToNewVolume(
  client: Client,
  backupId: string,
  { name, allowHoles = false }: { name: string; allowHoles?: boolean },
  bars: Bars,
): Promise<{ volume: WireVolume; task: WireTask }> {
  const wanted = { name, backup_id: backupId, ...(allowHoles ? { allow_holes: true } : {}) };
  const { volume: made } = await client.volume<{ volume: WireVolume }>("POST", "volumes", { volume: wanted }, fromBackup);
  const task = await until("the restore's task", 60, async () => {
    const { operation_logs: tasks } = await client.cbr<{ operation_logs: WireTask[] }>("GET", "operation-logs?operation_type=restore&limit=100");
    return tasks.find((found) => found.extra_info.restore?.target_resource_id === made.id);
  });
  const ended = await taskSuccess(client, task.id, bars);
  const volume = await until(`volume ${made.id}`, 3600, async () => {
    const volume = await showVolume(client, made.id);
    if (volume.status.startsWith("error"))
      throw new CommandError(`the restore of ${backupId} failed: volume ${volume.id} is in status ${volume.status}`);
    return volume.status === "available" ? volume : undefined;
  });
  return { volume, task: ended };
}

export interface RestoreTarget {
  volumeId?: string;
  serverId?: string;
  mappings?: { backup_id: string; volume_id: string }[];
  allowHoles?: boolean;
}

/** Restores onto what exists: a disk backup onto a volume, a server backup onto a server's disks. */
export async function restoreOnto(client: Client, backupId: string, target: RestoreTarget, bars: Bars): Promise<WireTask> {
  const restore = {
    ...(target.volumeId === undefined ? {} : { volume_id: target.volumeId }),
    ...(target.serverId === undefined ? {} : { server_id: target.serverId }),
    ...(target.mappings === undefined ? {} : { mappings: target.mappings }),
    ...(target.allowHoles === undefined ? {} : { allow_holes: target.allowHoles }),
  };
  const { job_id: taskId } = await client.cbr<{ job_id: string }>("POST", `backups/${encodeURIComponent(backupId)}/restore`, { restore });
  return taskSuccess(client, taskId, bars);
}
