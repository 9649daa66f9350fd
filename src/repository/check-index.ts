import type { ObjectStore } from "#storage/store.ts";
import type { PlacedRecord } from "./damage.ts";
import { Lru } from "./engine-lru.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex, Location } from "./index.ts";
import { readPackTrailer } from "./index-reconcile.ts";
import { hexOf, packObjectKey } from "./layout.ts";
import type { PackContents } from "./trailer.ts";

const TRAILERS_KEPT_RECORDS = 20_000;

/** Trailers of one tenant's packs, the last ones kept. */
export class TrailerCache {
  readonly #store: ObjectStore;
  readonly #tenant: string;
  readonly #kept = new Lru<PackContents>(TRAILERS_KEPT_RECORDS);

  constructor(store: ObjectStore, tenant: string) {
    this.#store = store;
    this.#tenant = tenant;
  }

  /** `size` as the store tells it. Errors: `corruptPack`, `newerFormat`, or the store's. */
  async read(packId: Uint8Array, size: number): Promise<PackContents> {
    const name = hexOf(packId);
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const contents = await readPackTrailer(this.#store, packObjectKey(this.#tenant, packId), size);
    if (Buffer.compare(contents.packId, packId) !== 0) throw new RepositoryError("corruptPack", `it is pack ${hexOf(contents.packId)}`);
    this.#kept.set(name, contents, contents.entries.length + 1);
    return contents;
  }

  /** Whether a pack's trailer says that this record is at this place. */
  async confirms(place: Location, id: Uint8Array): Promise<boolean> {
    const found = await this.#store.stat(packObjectKey(this.#tenant, place.packId));
    if (found === undefined) return false;
    try {
      const { kind, entries } = await this.read(place.packId, found.size);
      const entry = entries[place.slot];
      return entry !== undefined && kind === place.kind && Buffer.compare(entry.id, id) === 0 && isAt(place, entry);
    } catch (error) {
      if (!(error instanceof RepositoryError)) throw error;
      return false;
    }
  }
}

/**
 * Makes the index agree with a pack's trailer: each of its records has its place here, or one elsewhere that the other pack's trailer confirms, or
 * is known to be damaged. Tells what had to be corrected.
 */
export async function matchIndex(
  { index, trailers }: { index: ChunkIndex; trailers: TrailerCache },
  tenant: string,
  packId: Uint8Array,
  sizeBytes: number,
  { kind, entries }: PackContents,
): Promise<string[]> {
  const wrong: string[] = [];
  if (index.damage.correctPack(tenant, packId, kind, sizeBytes, entries.length)) wrong.push("its kind, size, number of records or tenant was wrong");
  const places = index.lookup(
    tenant,
    entries.map(({ id }) => id),
  );
  const damaged = new Map(index.damage.inPack(packId).map((place) => [hexOf(place.id), place]));
  const toPlace: PlacedRecord[] = [];
  for (const [at, entry] of entries.entries()) {
    const place = places[at];
    if (place === undefined) {
      // Found damaged at another place than its own, it was the index that was wrong.
      const bad = damaged.get(hexOf(entry.id));
      if (bad === undefined || !isAt(bad, entry)) toPlace.push(entry);
    } else if (Buffer.compare(place.packId, packId) === 0) {
      if (!isAt(place, entry)) toPlace.push(entry);
    } else if (!(await trailers.confirms(place, entry.id))) toPlace.push(entry);
  }
  const placed = index.damage.place(tenant, packId, toPlace);
  if (placed > 0) wrong.push(`${placed} of its records had no place or a wrong one`);
  return wrong;
}

const isAt = (place: Omit<PlacedRecord, "id">, entry: PlacedRecord): boolean =>
  place.slot === entry.slot && place.offset === entry.offset && place.length === entry.length && place.plainLength === entry.plainLength;
