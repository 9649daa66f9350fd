import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import { getIfThere } from "./collect-bin.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import { generationObjectKey, generationPrefix, hexOf } from "./layout.ts";

/*
 * `collect/generation/<n>` tells that collection has deleted through an index n times. An index that says otherwise is an older copy, or another
 * one: what it calls condemned may be in use again since. It must not delete anything until it has been compared with the store and has started
 * over.
 */

const outdated = (index: number): RepositoryError =>
  new RepositoryError(
    "indexOutdated",
    `the index has seen ${index} collections, the store says otherwise: it is an older copy; reopen the repository`,
  );

/** Throws `indexOutdated` unless the store's generation is the index's own. */
export async function checkGeneration(store: ObjectStore, index: ChunkIndex): Promise<void> {
  for (;;) {
    const { number, pending } = index.ledger.generation();
    const next = await getIfThere(store, generationObjectKey(number + 1));
    const isOurs = next !== undefined && pending !== undefined && Buffer.from(next).toString("latin1") === pending;
    const isCurrent = next === undefined && (number === 0 ? await newestOf(store) : number) === number && (await isThere(store, number));
    // Interrupted between telling the store and telling the index.
    if (isOurs) index.ledger.setGeneration(number + 1, pending);
    if (isOurs || isCurrent) return;
    // While we looked, another collection may have gone on.
    const now = index.ledger.generation();
    if (now.number === number && now.pending === pending) throw outdated(number);
  }
}

const isThere = async (store: ObjectStore, generation: number): Promise<boolean> =>
  generation === 0 || (await store.stat(generationObjectKey(generation))) !== undefined;

async function newestOf(store: ObjectStore): Promise<number> {
  let newest = 0;
  for await (const { key } of store.list(generationPrefix)) newest = Math.max(newest, Number(key.slice(generationPrefix.length)) || 0);
  return newest;
}

/**
 * The next generation, to be told before anything is deleted. `collector`: the token of the collection. Errors: `indexOutdated`,
 * `collectRunning`.
 */
export async function raiseGeneration(store: ObjectStore, index: ChunkIndex, random: Random, collector: Uint8Array): Promise<void> {
  await checkGeneration(store, index);
  const { number } = index.ledger.generation();
  const pending = hexOf(random.bytes(16));
  index.ledger.setGenerationPending(collector, pending);
  const key = generationObjectKey(number + 1);
  if ((await store.putIfAbsent(key, [Buffer.from(pending, "latin1")])) === "exists") {
    const there = await getIfThere(store, key);
    index.ledger.requireCollector(collector);
    if (there === undefined || Buffer.from(there).toString("latin1") !== pending) throw outdated(number);
  }
  index.ledger.setGeneration(number + 1, pending);
  await store.delete(generationObjectKey(number));
}

/**
 * To be called when the index has just been compared with the store, before anything relies on it: an index that is not of the store's generation
 * starts over. Tells whether it did.
 */
export async function adoptGeneration(store: ObjectStore, index: ChunkIndex): Promise<boolean> {
  try {
    await checkGeneration(store, index);
    return false;
  } catch (error) {
    if (!(error instanceof RepositoryError) || error.code !== "indexOutdated") throw error;
  }
  const { number, pending } = index.ledger.generation();
  const newest = await newestOf(store);
  const now = index.ledger.generation();
  if (now.number !== number || now.pending !== pending) return await adoptGeneration(store, index);
  index.ledger.startOver(newest);
  return true;
}
