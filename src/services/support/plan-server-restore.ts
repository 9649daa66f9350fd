import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Server, Volume } from "#model/resource.ts";

/**
 * Which disk backup goes onto which disk of the server; without mappings each onto the disk that it is a backup of.
 * @throws DomainError `badMapping`, `dataDiskOntoSystemDisk`, `architectureDiffers`, `targetTooSmall`
 */
export async function planServerRestore(
  tables: Tables,
  backup: Backup,
  server: Server,
  mappings: readonly { backupId: Id; volumeId: Id }[] | undefined,
): Promise<{ child: Backup; volume: Volume }[]> {
  if (backup.architecture !== null && server.architecture !== null && backup.architecture !== server.architecture) {
    throw new DomainError("architectureDiffers", `The backup is of an ${backup.architecture} server, the target is ${server.architecture}.`);
  }
  const children = await tables.backups.children(backup.id);
  const wanted =
    mappings !== undefined && mappings.length > 0 ? mappings : children.map((child) => ({ backupId: child.id, volumeId: child.resourceId }));
  const bad = (says: string): DomainError => new DomainError("badMapping", `mappings: ${says}`, { field: "mappings" });
  for (const key of ["backupId", "volumeId"] as const) {
    if (new Set(wanted.map((mapping) => mapping[key])).size < wanted.length) throw bad("a backup or a volume is given twice");
  }
  const plan = [];
  for (const { backupId, volumeId } of wanted) {
    const child = children.find((each) => each.id === backupId);
    if (child === undefined) throw bad(`${backupId} is not a disk backup inside ${backup.id}`);
    const disk = server.disks.find((each) => each.volumeId === volumeId);
    const volume = await tables.resources.getVolume(server.projectId, volumeId);
    if (disk === undefined || volume === undefined) throw bad(`${volumeId} is not a disk of server ${server.id}`);
    if (disk.systemDisk && child.systemDisk !== true) {
      throw new DomainError("dataDiskOntoSystemDisk", `mappings: ${backupId} is of a data disk, ${volumeId} is the system disk`, {
        field: "mappings",
      });
    }
    if (volume.sizeGib < child.resourceSizeGib) {
      throw new DomainError("targetTooSmall", `mappings: volume ${volumeId} has ${volume.sizeGib} GiB, its backup ${child.resourceSizeGib} GiB`, {
        field: "mappings",
      });
    }
    plan.push({ child, volume });
  }
  return plan;
}
