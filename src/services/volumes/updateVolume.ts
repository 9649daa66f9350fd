import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { checkLooseDescription, checkLooseName, checkMetadata } from "../support/checks.ts";
import { findVolume } from "../support/find.ts";

export interface UpdateVolumeInput {
  volumeId: Id;
  name?: string;
  description?: string | null;
  /** Replaces what there is. */
  metadata?: Record<string, string>;
  bootable?: boolean;
}

/** @throws DomainError `volumeNotFound`, `invalidRequest` */
export async function updateVolume(context: Context, caller: Caller, input: UpdateVolumeInput): Promise<Volume> {
  const patch = {
    ...(input.name === undefined ? {} : { name: checkLooseName(input.name, "name") }),
    ...(input.description === undefined ? {} : { description: checkLooseDescription(input.description, "description") }),
    ...(input.metadata === undefined ? {} : { metadata: checkMetadata(input.metadata, "metadata") }),
    ...(input.bootable === undefined ? {} : { bootable: input.bootable }),
    updatedAt: context.clock.nowUs(),
  };
  return context.catalog.transaction(async (tables) => {
    const volume = await findVolume(tables, caller, input.volumeId);
    await tables.resources.update(volume.id, patch);
    return findVolume(tables, caller, volume.id);
  });
}
