import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { checkTags, maxVaultTags } from "../support/tags.ts";
import { changeTags, withTags } from "./change-tags.ts";

/**
 * Sets or removes several tags of a vault: all of them or, when one is refused, none. A tag to remove is named by its key, and if it has a value
 * by that too; what is not there is passed over.
 * @throws DomainError `invalidRequest` and what {@link changeTags} throws
 */
export async function batchCreateAndDeleteVaultTags(
  context: Context,
  caller: Caller,
  input: { vaultId: Id; action: "create" | "delete"; tags: readonly Tag[] },
): Promise<void> {
  if (input.tags.length === 0) throw new DomainError("invalidRequest", "tags: at least one is needed", { field: "tags" });
  if (input.action === "create") {
    const given = checkTags(input.tags, "tags", maxVaultTags);
    return changeTags(context, caller, input.vaultId, (tags) => withTags(tags, given));
  }
  const doomed = input.tags.map(({ key, value }) => ({ key: key.trim(), value: value?.trim() ?? "" }));
  if (doomed.some(({ key }) => key === "")) throw new DomainError("invalidRequest", "tags: a key must not be empty", { field: "tags" });
  const isDoomed = (tag: Tag): boolean => doomed.some(({ key, value }) => key === tag.key && (value === "" || value === tag.value));
  return changeTags(context, caller, input.vaultId, (tags) => tags.filter((tag) => !isDoomed(tag)));
}
