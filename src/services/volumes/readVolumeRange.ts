import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { checkWholeNumber } from "../support/checks.ts";
import { findVolume } from "../support/find.ts";
import { pathOf } from "../support/paths.ts";

/** Most bytes that one request may read or write. */
export const maxTransferBytes = 16 * 1024 * 1024;

/**
 * Bytes of a volume. A range that begins at or after the end gives no bytes; one that crosses it is cut.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids` while it is made, restored or deleted, `sourceUnavailable`, `invalidRequest`
 */
export async function readVolumeRange(
  context: Context,
  caller: Caller,
  input: { volumeId: Id; offset: number; length: number },
): Promise<{ bytes: Uint8Array; sizeBytes: number }> {
  const offset = checkWholeNumber(input.offset, "offset", 0, Number.MAX_SAFE_INTEGER);
  const wanted = checkWholeNumber(input.length, "length", 0, maxTransferBytes);
  const volume = await findVolume(context.catalog, caller, input.volumeId);
  if (!["available", "in-use", "backing-up"].includes(volume.status)) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; its bytes cannot be read now.`);
  }
  const path = await pathOf(context.settings, volume.locator);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new DomainError("sourceUnavailable", `The bytes of volume ${volume.id} cannot be read.`, { cause: error });
  });
  try {
    const sizeBytes = (await file.stat()).size;
    const bytes = Buffer.alloc(Math.max(0, Math.min(wanted, sizeBytes - offset)));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) throw new DomainError("sourceUnavailable", `Volume ${volume.id} became shorter while it was read.`);
      done += bytesRead;
    }
    return { bytes, sizeBytes };
  } finally {
    await file.close();
  }
}
