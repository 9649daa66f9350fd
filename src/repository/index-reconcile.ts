import { systemClock } from "#platform/clock.ts";
import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import { hexOf, packObjectKey, parsePackKey } from "./layout.ts";
import { footerBytes, readTrailer, scanPack, trailerLength } from "./trailer.ts";
import type { PackContents } from "./trailer.ts";

export interface Reconciled {
  /** Packs that were added to the index. */
  added: number;
  /** Packs that were dropped from the index. */
  dropped: number;
  /** Packs of the store that could not be indexed at all, with the reason. */
  damaged: { key: string; reason: string }[];
}

/** Read at first from the end of a pack: holds the trailer of nearly every pack. */
const tailBytes = 32 << 10;

/** What a pack in the store holds: from its trailer, or from its records when the trailer is lost. Errors: `corruptPack`, `newerFormat`. */
export async function readPackContents(store: ObjectStore, key: string, size: number): Promise<PackContents> {
  const expected = parsePackKey(key);
  if (!expected) throw new RepositoryError("invalidRequest", `${key} is not a pack's key`);
  const contents = await readPackTrailer(store, key, size).catch(async (error: unknown) => {
    if (!(error instanceof RepositoryError) || error.code === "newerFormat") throw error;
    const scanned = scanPack(await store.get(key));
    if (scanned.entries.length === 0) throw error;
    return scanned;
  });
  if (Buffer.compare(contents.packId, expected.packId) !== 0)
    throw new RepositoryError("corruptPack", `the object ${key} is pack ${hexOf(contents.packId)}`);
  return contents;
}

/** What a pack's trailer says. `size` as the store tells it. Errors: `corruptPack`, `newerFormat`, or the store's. */
export async function readPackTrailer(store: ObjectStore, key: string, size: number): Promise<PackContents> {
  if (size < footerBytes) throw new RepositoryError("corruptPack", `pack ${key} has ${size} bytes`);
  const tail = (length: number): Promise<Uint8Array> => store.get(key, { offset: size - length, length });
  const first = await tail(Math.min(size, tailBytes));
  const needed = trailerLength(first, size);
  return readTrailer(needed <= first.length ? first : await tail(needed), size);
}

export async function reconcileIndex(index: ChunkIndex, store: ObjectStore): Promise<Reconciled> {
  const result: Reconciled = { added: 0, dropped: 0, damaged: [] };
  const missing = new Map<string, Uint8Array>();
  const sizes = new Map<string, number>();
  for (const tenant of index.tenants()) for (const { packId } of index.packsOf(tenant)) missing.set(packObjectKey(tenant, packId), packId);
  for await (const { key, size } of store.list("t/")) {
    const pack = parsePackKey(key);
    if (!pack) continue;
    sizes.set(key, size);
    if (missing.delete(key)) continue;
    try {
      const { kind, entries } = await readPackContents(store, key, size);
      index.addPack(pack.tenant, { packId: pack.packId, kind, sizeBytes: size, entries });
      result.added++;
    } catch (error) {
      noteDamage(result, key, error);
    }
  }
  // A listing may lack what is there; asked for by name, it is told.
  for (const key of missing.keys()) {
    const there = await store.stat(key);
    if (there === undefined) continue;
    missing.delete(key);
    sizes.set(key, there.size);
  }
  if (missing.size > 0) {
    noteLost(index, new Map([...missing].filter(([, packId]) => !index.ledger.isDeleting(packId))));
    index.dropPacks([...missing.values()]);
    result.dropped = missing.size;
  }
  // Also when an earlier comparison was interrupted after it had dropped them.
  if (index.needsRefill) {
    await refill(index, store, sizes, result);
    index.refilled();
  }
  return result;
}

/** What the vanished packs held is damaged until it is stored again. */
function noteLost(index: ChunkIndex, missing: ReadonlyMap<string, Uint8Array>): void {
  const byTenant = Map.groupBy(missing, ([key]) => parsePackKey(key)!.tenant);
  const nowUs = systemClock.nowUs();
  for (const [tenant, packs] of byTenant) {
    const packIds = packs.map(([, packId]) => packId);
    index.damage.markPacks(tenant, packIds, "its pack is not in the store any more", nowUs);
  }
}

/** What had a place in a dropped pack may have a second copy that was ignored when it came. */
async function refill(index: ChunkIndex, store: ObjectStore, sizes: Map<string, number>, result: Reconciled): Promise<void> {
  for (const tenant of index.tenants())
    await refillTenant(
      index,
      store,
      tenant,
      async (key) => sizes.get(key) ?? 0,
      (key, error) => noteDamage(result, key, error),
    );
}

/** Gives ids without a place one in a pack that holds a second copy of them, unless that copy is damaged. `onError` throws what must not pass. */
export async function refillTenant(
  index: ChunkIndex,
  store: ObjectStore,
  tenant: string,
  sizeOf: (key: string) => Promise<number | undefined>,
  onError: (key: string, error: unknown) => void,
): Promise<void> {
  for (const packId of index.packsWithIgnored(tenant)) {
    const key = packObjectKey(tenant, packId);
    const size = await sizeOf(key);
    if (size === undefined) continue;
    try {
      const { entries } = await readPackContents(store, key, size);
      const damaged = new Set(index.damage.inPack(packId).map(({ id }) => hexOf(id)));
      index.refillPack(
        tenant,
        packId,
        entries.filter(({ id }) => !damaged.has(hexOf(id))),
      );
    } catch (error) {
      onError(key, error);
    }
  }
}

/** A pack that cannot be read does not keep the others from being read; a store that cannot be read does. */
function noteDamage(result: Reconciled, key: string, error: unknown): void {
  if (error instanceof StorageError && error.code === "notFound") return;
  if (!(error instanceof RepositoryError) || (error.code !== "corruptPack" && error.code !== "newerFormat")) throw error;
  result.damaged.push({ key, reason: error.message });
}
