import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { changeTags } from "./change-tags.ts";

/** Removes the tag of a key; blanks around the key do not count. @throws DomainError `tagNotFound` and what {@link changeTags} throws */
export async function deleteVaultTag(context: Context, caller: Caller, input: { vaultId: Id; key: string }): Promise<void> {
  const key = input.key.trim();
  if (key === "") throw new DomainError("invalidRequest", "key: must not be empty", { field: "key" });
  await changeTags(context, caller, input.vaultId, (tags) => {
    const kept = tags.filter((tag) => tag.key !== key);
    if (kept.length === tags.length)
      throw new DomainError("tagNotFound", `key: the vault has no tag ${JSON.stringify(key.slice(0, 64))}`, { field: "key" });
    return kept;
  });
}
