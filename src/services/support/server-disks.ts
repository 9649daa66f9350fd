import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { ServerDisk } from "#model/resource.ts";
import { findVolume } from "./find.ts";
import { takeVolume } from "./volume-rows.ts";

const maxDisks = 60;

export function checkArchitecture(architecture: string | null | undefined): string | null {
  if (architecture === undefined || architecture === null) return null;
  if (!/^[a-z0-9_]{1,32}$/.test(architecture)) {
    throw new DomainError("invalidRequest", "architecture: must be a name such as x86_64", { field: "architecture" });
  }
  return architecture;
}

/**
 * Checks the set of a server's disks and marks those that are new to it `in-use`. Tells the sum of their sizes, GiB.
 * `already` are the disks that the server has.
 */
export async function attachDisks(
  tables: Tables,
  caller: Caller,
  disks: readonly ServerDisk[],
  now: TimestampUs,
  already: readonly Id[] = [],
): Promise<number> {
  if (disks.length > maxDisks) throw new DomainError("invalidRequest", `disks: must be at most ${maxDisks}`, { field: "disks" });
  if (disks.filter((disk) => disk.systemDisk).length > 1) {
    throw new DomainError("invalidRequest", "disks: at most one can be the system disk", { field: "disks" });
  }
  if (new Set(disks.map((disk) => disk.volumeId)).size < disks.length) {
    throw new DomainError("invalidRequest", "disks: a volume is given twice", { field: "disks" });
  }
  let sizeGib = 0;
  for (const disk of disks) {
    const volume = await findVolume(tables, caller, disk.volumeId);
    sizeGib += volume.sizeGib;
    if (already.includes(volume.id)) continue;
    if ((await tables.resources.serversOf(volume.id)).length > 0) {
      throw new DomainError("conflict", `Volume ${volume.id} is a disk of another server.`, { field: "disks" });
    }
    await takeVolume(tables, volume, ["available"], "in-use", now);
  }
  return sizeGib;
}
