import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { openFileSource } from "#sources/file.ts";
import { SourceError } from "#sources/source.ts";
import type { Extent } from "#sources/source.ts";
import type { Context } from "../context.ts";
import { findVolume } from "../support/find.ts";
import { pathOf } from "../support/paths.ts";

/**
 * Where a volume may hold data; all else reads as zeros. Ascending and disjoint, bytes.
 * @throws DomainError `volumeNotFound`, `sourceUnavailable`
 */
export async function listVolumeExtents(
  context: Context,
  caller: Caller,
  input: { volumeId: Id },
): Promise<{ sizeBytes: number; extents: Extent[] }> {
  const volume = await findVolume(context.catalog, caller, input.volumeId);
  const path = await pathOf(context.settings, volume.locator);
  try {
    const source = openFileSource(path);
    try {
      return { sizeBytes: source.sizeBytes, extents: [...source.allocatedExtents()] };
    } finally {
      source.close();
    }
  } catch (error) {
    if (error instanceof SourceError)
      throw new DomainError("sourceUnavailable", `The bytes of volume ${volume.id} cannot be read.`, { cause: error });
    throw error;
  }
}
