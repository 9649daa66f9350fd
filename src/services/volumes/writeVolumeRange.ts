import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { checkWholeNumber, gibBytes } from "../support/checks.ts";
import { findVolume } from "../support/find.ts";
import { holdForWrite } from "../support/holds.ts";
import { isLocal } from "../support/paths.ts";
import { changesOf } from "../support/volume-changes.ts";
import { storageError } from "../support/volume-files.ts";
import { maxTransferBytes } from "./readVolumeRange.ts";

/**
 * Writes bytes into a volume of ours while it is idle: available, or in use by a registered server (which has no other writer).
 * The range must lie inside the volume.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids`, `invalidRequest`, `storageFull`
 */
export async function writeVolumeRange(context: Context, caller: Caller, input: { volumeId: Id; offset: number; bytes: Uint8Array }): Promise<void> {
  const offset = checkWholeNumber(input.offset, "offset", 0, Number.MAX_SAFE_INTEGER);
  if (input.bytes.length > maxTransferBytes) {
    throw new DomainError("invalidRequest", `bytes: must be at most ${maxTransferBytes} at a time`, { field: "bytes" });
  }
  const volume = await findVolume(context.catalog, caller, input.volumeId);
  if (!isLocal(volume.locator))
    throw new DomainError("invalidRequest", `Volume ${volume.id} is a file of the operator's: it is not written from here.`);
  refuseUnlessIdle(volume);
  const [endBytes, sizeBytes] = [offset + input.bytes.length, volume.sizeGib * gibBytes];
  if (endBytes > sizeBytes)
    throw new DomainError("invalidRequest", `offset: the range ends at byte ${endBytes}, the volume at ${sizeBytes}`, { field: "offset" });
  const release = holdForWrite(context, volume.id);
  try {
    await changesOf(context, volume.id).write([{ offset, length: input.bytes.length }], async (file) => {
      // Again: a backup that was asked for meanwhile may have frozen the volume while this waited.
      refuseUnlessIdle(await findVolume(context.catalog, caller, volume.id));
      for (let done = 0; done < input.bytes.length;) {
        done += (await file.write(input.bytes, done, input.bytes.length - done, offset + done)).bytesWritten;
      }
    });
  } catch (error) {
    throw storageError(error);
  } finally {
    release();
  }
}

function refuseUnlessIdle(volume: Volume): void {
  if (volume.status !== "available" && volume.status !== "in-use") {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; it can only be written while it is idle.`);
  }
}
