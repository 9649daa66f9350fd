import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import { getIfThere } from "./collect-bin.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import { generationObjectKey, generationPrefix, hexOf } from "./layout.ts";

/*
 * `collect/generation/<n>` tells that collection has deleted through an index n times. An index that says otherwise is an older copy, or another one: what it
 * calls condemned may be in use again since. It must not delete anything until it has been compared with the store and has started over.
 */

const outdated = (index: number): RepositoryError =>
  new RepositoryError(
    "indexOutdated",
    `the index has seen ${index} collections, the store says otherwise: it is an older copy; reopen the repository`,
  );

/** Throws `indexOutdated` unless the store's generation is the index's own. */
export async function checkGeneration(store: ObjectStore, index: ChunkIndex): Promise<void> {
  const { number, pending } = index.ledger.generation();
  const next = await getIfThere(store, generationObjectKey(number + 1));
  if (next !== undefined) {
    // Ours, if we were interrupted between telling the store and telling the index.
    if (pending === undefined || Buffer.from(next).toString("latin1") !== pending) throw outdated(number);
    index.ledger.setGeneration(number + 1);
  } else if (number > 0 && (await store.stat(generationObjectKey(number))) === undefined) throw outdated(number);
}

/** The next generation, to be told before anything is deleted. */
export async function raiseGeneration(store: ObjectStore, index: ChunkIndex, random: Random): Promise<void> {
  await checkGeneration(store, index);
  const { number } = index.ledger.generation();
  const pending = hexOf(random.bytes(16));
  index.ledger.setGenerationPending(pending);
  const key = generationObjectKey(number + 1);
  if ((await store.putIfAbsent(key, [Buffer.from(pending, "latin1")])) === "exists") {
    const there = await getIfThere(store, key);
    if (there === undefined || Buffer.from(there).toString("latin1") !== pending) throw outdated(number);
  }
  index.ledger.setGeneration(number + 1);
  await store.delete(generationObjectKey(number));
}

/**
 * To be called when the index has just been compared with the store, before anything relies on it: an index that is not of the store's generation starts
 * over. Tells whether it did.
 */
export async function adoptGeneration(store: ObjectStore, index: ChunkIndex): Promise<boolean> {
  try {
    await checkGeneration(store, index);
    return false;
  } catch (error) {
    if (!(error instanceof RepositoryError) || error.code !== "indexOutdated") throw error;
  }
  let newest = 0;
  for await (const { key } of store.list(generationPrefix)) newest = Math.max(newest, Number(key.slice(generationPrefix.length)) || 0);
  index.ledger.startOver(newest);
  return true;
}
