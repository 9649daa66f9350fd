import { systemClock } from "#platform/clock.ts";
import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import { Lru } from "./engine-lru.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex, Location } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf, packObjectKey, rootObjectKey } from "./layout.ts";
import { locate } from "./lane.ts";
import { decodePage, flatPageBytes, pageChunks } from "./page.ts";
import { openPacked, openRecord } from "./record.ts";
import { openRoot } from "./root.ts";
import type { Root } from "./root.ts";
import { useSecondCopies } from "./second-copies.ts";

const ROOTS_KEPT = 8;
const PAGES_KEPT_BYTES = 4 * 1024 * 1024;
const CHUNKS_KEPT_BYTES = 32 * 1024 * 1024;

/** Reads roots, pages and chunks, each verified, from the store. Lives in the engine's thread; keeps a bounded number of each. */
export class RepositoryReader {
  readonly #store: ObjectStore;
  readonly #index: ChunkIndex;
  readonly #roots = new Lru<Root>(ROOTS_KEPT);
  readonly #pages = new Lru<Uint8Array>(PAGES_KEPT_BYTES);
  readonly #chunks = new Lru<Uint8Array>(CHUNKS_KEPT_BYTES);

  constructor(store: ObjectStore, index: ChunkIndex) {
    this.#store = store;
    this.#index = index;
  }

  /** Undefined when the backup has no root object. */
  async root(tenant: string, keys: TenantKeys, backupId: string): Promise<Root | undefined> {
    const key = rootObjectKey(tenant, backupId);
    const kept = this.#roots.get(key);
    if (kept !== undefined) return kept;
    let bytes: Uint8Array;
    try {
      bytes = await this.#store.get(key);
    } catch (error) {
      if (error instanceof StorageError && error.code === "notFound") return undefined;
      throw error;
    }
    const root = openRoot(keys, bytes, { tenant, backupId });
    this.#roots.set(key, root, 1);
    return root;
  }

  async deleteRoot(tenant: string, backupId: string): Promise<void> {
    const key = rootObjectKey(tenant, backupId);
    this.#roots.delete(key);
    await this.#store.delete(key);
    this.#roots.delete(key);
  }

  /** The flat page at this place of a manifest; undefined where there are only holes. */
  async pageOf(tenant: string, keys: TenantKeys, pageIds: Uint8Array, page: number): Promise<Uint8Array | undefined> {
    const pageId = pageIds.subarray(page * 32, page * 32 + 32);
    if (pageId.every((byte) => byte === 0)) return undefined;
    const name = `${tenant}/${hexOf(pageId)}`;
    const kept = this.#pages.get(name);
    if (kept !== undefined) return kept;
    const [place] = this.#index.lookup(tenant, [pageId]);
    if (place === undefined) throw new RepositoryError("corruptPage", `manifest page ${page} (${hexOf(pageId)}) is in no pack`);
    const flat = decodePage(await this.#plain(tenant, keys, pageId, place, false));
    this.#pages.set(name, flat, flatPageBytes);
    return flat;
  }

  /** Any range of a backup; holes as zeros. The range must lie inside the backup. */
  async range(tenant: string, keys: TenantKeys, root: Root, offset: number, length: number): Promise<Uint8Array> {
    const { backupId, sizeBytes, chunkBytes, pageIds } = root;
    const into = new Uint8Array(length);
    const last = Math.ceil((offset + length) / chunkBytes);
    for (let chunk = Math.floor(offset / chunkBytes); chunk < last; chunk++) {
      const start = chunk * chunkBytes;
      const plainLength = Math.min(chunkBytes, sizeBytes - start);
      try {
        const page = await this.pageOf(tenant, keys, pageIds, Math.floor(chunk / pageChunks));
        const id = page?.subarray((chunk % pageChunks) * 32, (chunk % pageChunks) * 32 + 32);
        if (id === undefined || id.every((byte) => byte === 0)) continue;
        const plain = await this.chunk(tenant, keys, id, plainLength);
        const from = Math.max(offset, start);
        into.set(plain.subarray(from - start, Math.min(offset + length, start + plainLength) - start), from - offset);
      } catch (error) {
        throw locate(error, backupId, start, plainLength);
      }
    }
    return into;
  }

  /** A chunk as it was compressed, verified by its tag. */
  async packed(tenant: string, keys: TenantKeys, id: Uint8Array, plainLength: number): Promise<Uint8Array> {
    const place = this.#placeOf(tenant, id, plainLength);
    return await this.#record(tenant, id, place, (record, at) => openPacked(keys, at.packId, record, { slot: at.slot, id, plainLength }));
  }

  async chunk(tenant: string, keys: TenantKeys, id: Uint8Array, plainLength: number): Promise<Uint8Array> {
    const name = `${tenant}/${hexOf(id)}`;
    const kept = this.#chunks.get(name);
    if (kept !== undefined && kept.length === plainLength) return kept;
    const plain = await this.#plain(tenant, keys, id, this.#placeOf(tenant, id, plainLength), true);
    this.#chunks.set(name, plain, plain.length);
    return plain;
  }

  #placeOf(tenant: string, id: Uint8Array, plainLength: number): Location {
    const [place] = this.#index.lookup(tenant, [id]);
    if (place === undefined) throw new RepositoryError("missingChunk", `chunk ${hexOf(id)} is in no pack`);
    if (place.plainLength !== plainLength) throw new RepositoryError("corruptChunk", `chunk ${hexOf(id)} has ${place.plainLength} bytes`);
    return place;
  }

  #plain(tenant: string, keys: TenantKeys, id: Uint8Array, place: Location, trustTag: boolean): Promise<Uint8Array> {
    return this.#record(tenant, id, place, (record, { packId, slot, plainLength }) =>
      openRecord(keys, packId, record, { slot, id, plainLength }, { trustTag }),
    );
  }

  async #record(tenant: string, id: Uint8Array, place: Location, open: (record: Uint8Array, place: Location) => Uint8Array): Promise<Uint8Array> {
    const { packId, offset, length, kind } = place;
    const key = packObjectKey(tenant, packId);
    let record: Uint8Array;
    try {
      record = await this.#store.get(key, { offset, length });
    } catch (error) {
      const [now] = this.#index.lookup(tenant, [id]);
      // Collection has moved it meanwhile.
      if (now !== undefined && Buffer.compare(now.packId, packId) !== 0) return await this.#record(tenant, id, now, open);
      if (!(error instanceof StorageError) || (error.code !== "notFound" && error.code !== "badRange")) throw error;
      const code = kind === "page" ? "corruptPage" : error.code === "notFound" ? "missingChunk" : "corruptPack";
      throw new RepositoryError(code, `pack ${hexOf(packId)} cannot be read at byte ${offset}: ${error.message}`, error);
    }
    try {
      return open(record, place);
    } catch (error) {
      if (!(error instanceof RepositoryError)) throw error;
      // Not to be found again: a backup must not take it for stored.
      this.#index.damage.mark(tenant, packId, [{ id, reason: error.message }], systemClock.nowUs());
      await useSecondCopies(this.#index, this.#store, tenant);
      const [copy] = this.#index.lookup(tenant, [id]);
      if (copy === undefined) throw error;
      return await this.#record(tenant, id, copy, open);
    }
  }
}
