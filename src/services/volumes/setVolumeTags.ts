import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { autoBind } from "../support/auto-bind.ts";
import { findVolume } from "../support/find.ts";
import { checkTags, maxResourceTags } from "../support/tags.ts";

/**
 * Replaces the tags of a volume. A vault may bind it for its new ones; none lets it go for those that it had.
 * @throws DomainError `volumeNotFound`, `invalidRequest`
 */
export async function setVolumeTags(context: Context, caller: Caller, input: { volumeId: Id; tags: Tag[] }): Promise<Volume> {
  const tags = checkTags(input.tags, "tags", maxResourceTags);
  return context.catalog.transaction(async (tables) => {
    const volume = await findVolume(tables, caller, input.volumeId);
    await tables.resources.update(volume.id, { tags, updatedAt: context.clock.nowUs() });
    await autoBind(context, tables, { ...volume, tags });
    return findVolume(tables, caller, volume.id);
  });
}
