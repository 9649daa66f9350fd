import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { checkWholeNumber, gibBytes, maxVolumeGib } from "../support/checks.ts";
import { findVolume } from "../support/find.ts";
import { holdForWrite } from "../support/holds.ts";
import { isLocal } from "../support/paths.ts";
import { changesOf } from "../support/volume-changes.ts";
import { growSparse } from "../support/volume-files.ts";
import { refreshServerSize } from "../support/volume-rows.ts";

/**
 * Makes a volume of ours larger; what is new reads as zeros.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids`, `invalidRequest` (not larger, or a file of the operator's), `storageFull`
 */
export async function extendVolume(context: Context, caller: Caller, input: { volumeId: Id; newSizeGib: number }): Promise<Volume> {
  const newSizeGib = checkWholeNumber(input.newSizeGib, "new_size", 1, maxVolumeGib);
  const volume = await findVolume(context.catalog, caller, input.volumeId);
  if (!isLocal(volume.locator))
    throw new DomainError("invalidRequest", `Volume ${volume.id} is a file of the operator's: it is not extended from here.`);
  refuseExtension(volume, newSizeGib);
  const release = holdForWrite(context, volume.id);
  try {
    // The file first: after a crash it may be longer than the volume, never shorter.
    // What lies behind a backup's end has changed since, whatever a record says: it need not say it.
    await changesOf(context, volume.id).write([], (file) => growSparse(file, newSizeGib * gibBytes));
    return await context.catalog.transaction(async (tables) => {
      refuseExtension(await findVolume(tables, caller, volume.id), newSizeGib);
      const now = context.clock.nowUs();
      await tables.resources.update(volume.id, { sizeGib: newSizeGib, updatedAt: now });
      for (const server of await tables.resources.serversOf(volume.id)) await refreshServerSize(tables, server, now);
      return findVolume(tables, caller, volume.id);
    });
  } finally {
    release();
  }
}

function refuseExtension(volume: Volume, newSizeGib: number): void {
  if (volume.status !== "available" && volume.status !== "in-use") {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; extending needs it available or in-use.`);
  }
  if (newSizeGib <= volume.sizeGib) {
    throw new DomainError("invalidRequest", `new_size: must be more than the present ${volume.sizeGib} GiB`, { field: "new_size" });
  }
}
