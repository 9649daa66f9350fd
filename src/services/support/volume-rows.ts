import type { Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Server, Volume, VolumeEncryption } from "#model/resource.ts";

/** The volume type of a volume for which none was named. */
export const defaultVolumeType = "standard";

export function checkEncryption(encryption: VolumeEncryption | null): VolumeEncryption | null {
  if (encryption === null) return null;
  if (!isUuid(encryption.cmkId)) throw new DomainError("invalidRequest", "encryption.cmkId: must be a UUID", { field: "encryption.cmkId" });
  if (!/^[\x21-\x7e]{64}$/.test(encryption.volumeKey)) {
    throw new DomainError("invalidRequest", "encryption.volumeKey: must be 64 printable characters", { field: "encryption.volumeKey" });
  }
  return { cmkId: encryption.cmkId, volumeKey: encryption.volumeKey };
}

/** A server's size is the sum of its disks: puts it right after a disk grew or the set changed. */
export async function refreshServerSize(tables: Tables, server: Server, updatedAt: TimestampUs): Promise<void> {
  const current = await tables.resources.getServer(server.projectId, server.id);
  if (current === undefined) return;
  let sizeGib = 0;
  for (const disk of current.disks) sizeGib += (await tables.resources.getVolume(server.projectId, disk.volumeId))?.sizeGib ?? 0;
  await tables.resources.update(server.id, { sizeGib, updatedAt });
}

/** Changes a volume's status; refuses when it is not in one of `from`. */
export async function takeVolume(
  tables: Tables,
  volume: Volume,
  from: readonly Volume["status"][],
  to: Volume["status"],
  now: TimestampUs,
): Promise<void> {
  if (!(await tables.resources.transition(volume.id, from, to, now))) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; this needs it ${from.join(" or ")}.`);
  }
}

/** Whether anything waits or runs that touches the resource. */
export async function hasOpenTasks(tables: Tables, resourceId: Id): Promise<boolean> {
  return (await tables.tasks.openTasks({ resourceId })).length > 0;
}
