import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { checkTags } from "../support/tags.ts";
import { changeTags, withTags } from "./change-tags.ts";

/** Sets one tag of a vault, new or known. @throws DomainError `invalidRequest` and what {@link changeTags} throws */
export async function createVaultTags(context: Context, caller: Caller, input: { vaultId: Id; tag: Tag }): Promise<void> {
  const given = checkTags([input.tag], "tag", 1);
  await changeTags(context, caller, input.vaultId, (tags) => withTags(tags, given));
}
