import { StorageError } from "#storage/store.ts";
import type { CollectParts } from "./collect.ts";
import { RepositoryError } from "./engine-types.ts";
import { readPackContents } from "./index-reconcile.ts";
import { packPrefix, parsePackKey } from "./layout.ts";

/**
 * Packs of the store that the index does not know: left by a run that ended between store and index. Those that can be read join the index as if
 * they had just been written, and from there go the way of all packs. The others are told.
 */
export async function adoptOrphans(
  { store, index }: Pick<CollectParts, "store" | "index">,
  tenant: string,
  keep: () => void,
): Promise<{ adopted: number; unreadable: { key: string; sizeBytes: number }[] }> {
  const unreadable: { key: string; sizeBytes: number }[] = [];
  const strangers: { key: string; size: number }[] = [];
  for await (const { key, size } of store.list(packPrefix(tenant))) {
    const pack = parsePackKey(key);
    if (pack !== undefined && !index.hasPack(pack.packId)) strangers.push({ key, size });
  }
  let adopted = 0;
  for (const { key, size } of strangers) {
    keep();
    const { packId } = parsePackKey(key)!;
    try {
      const { kind, entries } = await readPackContents(store, key, size);
      // Its writer may have told the index meanwhile.
      if (index.hasPack(packId)) continue;
      index.addPack(tenant, { packId, kind, sizeBytes: size, entries });
      adopted++;
    } catch (error) {
      if (error instanceof StorageError && error.code === "notFound") continue;
      if (!(error instanceof RepositoryError) || error.code !== "corruptPack") throw error;
      unreadable.push({ key, sizeBytes: size });
    }
  }
  return { adopted, unreadable };
}
