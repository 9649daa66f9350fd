import { open } from "node:fs/promises";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { checkWholeNumber } from "../support/checks.ts";
import { findVolume } from "../support/find.ts";
import { holdForWrite } from "../support/holds.ts";
import { isLocal, localPath } from "../support/paths.ts";
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
  if (volume.status !== "available" && volume.status !== "in-use") {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; it can only be written while it is idle.`);
  }
  const release = holdForWrite(context, volume.id);
  try {
    const file = await open(localPath(context.settings, volume.id), "r+");
    try {
      const { size } = await file.stat();
      if (offset + input.bytes.length > size) {
        throw new DomainError("invalidRequest", `offset: the range ends at byte ${offset + input.bytes.length}, the volume at ${size}`, {
          field: "offset",
        });
      }
      for (let done = 0; done < input.bytes.length;) {
        done += (await file.write(input.bytes, done, input.bytes.length - done, offset + done)).bytesWritten;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw storageError(error);
  } finally {
    release();
  }
}
