import type { Random } from "#platform/random.ts";
import type { PageState } from "./backup-pipeline-page.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf } from "./layout.ts";
import { isHolePage } from "./page.ts";
import { PackWriter } from "./pack.ts";
import type { FinishedPack } from "./pack.ts";
import type { BackupSession } from "./session.ts";

/** A pack of manifest pages: those of 32 GiB. */
const PAGE_PACK_BYTES = 4 * 1024 * 1024;

export interface ManifestParts {
  tenant: string;
  keys: TenantKeys;
  compressionLevel: number;
  index: ChunkIndex;
  session: BackupSession;
  random: Random;
  /** Brings a pack of pages to the store and the index; tells the backup when that fails. Never rejects. */
  storePack(pack: FinishedPack): Promise<void>;
  /** {@link Manifest.packsInFlight} has become less. */
  onStored(): void;
}

/** The manifest of one backup while it is made: the ids of its pages, and packs of those that are new. */
export class Manifest {
  /** 32 bytes for each page of the disk, zeros where there are only holes. */
  readonly pageIds: Uint8Array;
  readonly #parts: ManifestParts;
  readonly #pagePacks = new Map<string, { pageId: Uint8Array; packIds: Uint8Array[] }>();
  readonly #newPages = new Set<string>();
  #writer: PackWriter | undefined;
  #packsInFlight = 0;

  constructor(parts: ManifestParts, pageCount: number) {
    this.#parts = parts;
    this.pageIds = new Uint8Array(pageCount * 32);
  }

  /** Packs on their way to the store. */
  get packsInFlight(): number {
    return this.#packsInFlight;
  }

  /** Starts with the pages of another backup of this disk, which may have been shorter. */
  inherit(pageIds: Uint8Array): void {
    this.pageIds.set(pageIds);
  }

  /** At this place is a page that is in the store, and held. */
  refer(page: number, pageId: Uint8Array): void {
    this.pageIds.set(pageId, page * 32);
  }

  /** There are only holes, until the page is set. */
  clear(page: number): void {
    this.pageIds.fill(0, page * 32, page * 32 + 32);
  }

  /** All ids of the page are known. What is not in the store yet goes into a pack. */
  set(page: PageState, pageId: Uint8Array, encoded: Uint8Array): void {
    if (isHolePage(page.ids)) return;
    const { tenant, keys, compressionLevel, session, random } = this.#parts;
    this.pageIds.set(pageId, page.index * 32);
    const key = hexOf(pageId);
    if (this.#pagePacks.has(key)) return;
    if (page.isUnchanged && session.reusePage(pageId)) return;
    this.#pagePacks.set(key, { pageId, packIds: [...page.packs.values()] });
    if (session.locate([pageId])[0] !== undefined || this.#newPages.has(key)) return;
    this.#newPages.add(key);
    this.#writer ??= new PackWriter({
      tenant,
      packId: random.bytes(16),
      keys,
      kind: "page",
      targetBytes: PAGE_PACK_BYTES,
      compressionLevel,
      buffer: Buffer.allocUnsafeSlow(1 << 20),
    });
    this.#writer.add(pageId, encoded);
    if (this.#writer.isFull) void this.handOver();
  }

  /** Sends the pack that is being filled to the store, if there is one. */
  async handOver(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    this.#packsInFlight++;
    await this.#parts.storePack(writer.finish());
    this.#packsInFlight--;
    this.#parts.onStored();
  }

  /** Tells the index which packs each new page refers to, once all of them are stored. Returns the ids of all pages. */
  record(): Uint8Array[] {
    if (this.#pagePacks.size > 0) this.#parts.index.recordManyPagePacks(this.#parts.tenant, [...this.#pagePacks.values()]);
    const pages: Uint8Array[] = [];
    for (let at = 0; at < this.pageIds.length; at += 32) {
      const pageId = this.pageIds.subarray(at, at + 32);
      if (pageId.some((byte) => byte !== 0)) pages.push(pageId);
    }
    return pages;
  }
}
