import type { Caller } from "#model/caller.ts";
import { listBackups } from "#services/backups/listBackups.ts";
import type { Context } from "#services/context.ts";
import { listSnapshots } from "#services/snapshots/listSnapshots.ts";
import { listVolumes } from "#services/volumes/listVolumes.ts";

const everything = { limit: 1_000_000_000, offset: 0 };

/** What a project has, counted; sizes in GiB. Disk backups count, as they do for Block Storage clients. */
export async function countProject(caller: Caller, context: Context) {
  const volumes = await listVolumes(context, caller, { filter: {}, page: everything });
  const snapshots = await listSnapshots(context, caller, { filter: {}, page: everything });
  const backups = await listBackups(context, caller, { filter: { resourceType: "OS::Cinder::Volume" }, page: everything });
  const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0);
  return {
    volumes: volumes.count,
    snapshots: snapshots.count,
    gigabytes: sum(volumes.items.map((volume) => volume.sizeGib)) + sum(snapshots.items.map((snapshot) => snapshot.sizeGib)),
    backups: backups.count,
    backup_gigabytes: sum(backups.items.map((view) => view.backup.resourceSizeGib)),
  };
}
