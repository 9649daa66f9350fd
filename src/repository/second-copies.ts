import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import type { RestoreOutcome } from "./engine-types.ts";
import { refillTenant } from "./index-reconcile.ts";
import type { ChunkIndex } from "./index.ts";

/**
 * Gives what is damaged its place in a second pack, which was passed over because the id was known: there is one after a damaged chunk was stored
 * again and the index was then made anew from the packs. Returns how many records it put right.
 */
export async function useSecondCopies(index: ChunkIndex, store: ObjectStore, tenant: string): Promise<number> {
  const before = index.damage.countOf(tenant);
  if (before === 0) return 0;
  const sizeOf = async (key: string): Promise<number | undefined> => (await store.stat(key))?.size;
  await refillTenant(index, store, tenant, sizeOf, (_key, error) => {
    // A pack that cannot be read has no copy for us; a store that cannot be read is another matter.
    if (!(error instanceof RepositoryError)) throw error;
  });
  return before - index.damage.countOf(tenant);
}

/** Runs a restore; when it met damage of which there was a second copy, once more. Each turn puts something right, so that it comes to an end. */
export async function withSecondCopies(
  { index, store }: { index: ChunkIndex; store: ObjectStore },
  tenant: string,
  restore: () => Promise<RestoreOutcome>,
): Promise<RestoreOutcome> {
  for (;;) {
    try {
      const outcome = await restore();
      if (outcome.lost.length === 0 || (await useSecondCopies(index, store, tenant)) === 0) return outcome;
    } catch (error) {
      const isDamage = error instanceof RepositoryError && (error.code.startsWith("corrupt") || error.code === "damaged");
      if (!isDamage || (await useSecondCopies(index, store, tenant)) === 0) throw error;
    }
  }
}
