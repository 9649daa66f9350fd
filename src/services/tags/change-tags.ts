import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { findVault } from "../support/find.ts";
import { maxVaultTags } from "../support/tags.ts";

/**
 * Replaces the tags of a vault by what `change` makes of them, in one transaction.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids` while it is being deleted, `tagQuotaReached`
 */
export async function changeTags(context: Context, caller: Caller, vaultId: Id, change: (tags: readonly Tag[]) => Tag[]): Promise<void> {
  await context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, vaultId);
    if (vault.status === "deleting") throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is being deleted; its tags cannot be changed.`);
    const tags = change(vault.tags);
    if (tags.length > maxVaultTags) {
      throw new DomainError("tagQuotaReached", `tags: a vault has at most ${maxVaultTags}, with these there would be ${tags.length}`, {
        field: "tags",
      });
    }
    await tables.vaults.update(vault.id, { tags, updatedAt: context.clock.nowUs() });
  });
}

/** The tags with the given ones set: a known key gets the new value and keeps its place. */
export function withTags(tags: readonly Tag[], given: readonly Tag[]): Tag[] {
  const byKey = new Map(tags.map((tag) => [tag.key, tag]));
  for (const tag of given) byKey.set(tag.key, tag);
  return [...byKey.values()];
}
