import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupDamage, DamagedRange } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf } from "./layout.ts";
import { pageChunks } from "./page.ts";
import type { Root } from "./root.ts";

interface Parts {
  index: ChunkIndex;
  reader: RepositoryReader;
}

/** What is damaged in one page, by the place in it; a text when the page itself is. */
type PageDamage = { at: number; reason: string }[] | string;

/** Asks what is damaged, for any number of one tenant's backups: pages that they share are looked at once. */
export class DamageReporter {
  readonly #parts: Parts;
  readonly #tenant: string;
  readonly #keys: TenantKeys;
  readonly #pages = new Map<string, PageDamage>();
  readonly #damaged: ReturnType<ChunkIndex["damage"]["of"]>;

  constructor(parts: Parts, tenant: string, keys: TenantKeys) {
    this.#parts = parts;
    this.#tenant = tenant;
    this.#keys = keys;
    this.#damaged = parts.index.damage.of(tenant);
  }

  /** The ranges of the backup that are known to be damaged: ascending, disjoint. */
  async rangesOf(root: Root): Promise<DamagedRange[]> {
    if (this.#damaged.size === 0) return [];
    const { chunkBytes, sizeBytes, pageIds } = root;
    const ranges: DamagedRange[] = [];
    const add = (offset: number, length: number, reason: string): void => {
      const last = ranges.at(-1);
      const fitting = Math.min(length, sizeBytes - offset);
      if (last !== undefined && last.offset + last.length === offset && last.reason === reason) last.length += fitting;
      else ranges.push({ offset, length: fitting, reason });
    };
    for (let page = 0; page * 32 < pageIds.length; page++) {
      const start = page * pageChunks * chunkBytes;
      const damage = await this.#pageDamage(pageIds, page);
      if (typeof damage === "string") add(start, pageChunks * chunkBytes, damage);
      else for (const { at, reason } of damage) add(start + at * chunkBytes, chunkBytes, reason);
    }
    return ranges;
  }

  /** What a backup has lost; undefined when nothing is known to be. A root object that does not verify is the loss of all of it. */
  async damageOf(backupId: string): Promise<BackupDamage | undefined> {
    let root: Root | undefined;
    try {
      root = await this.#parts.reader.root(this.#tenant, this.#keys, backupId);
    } catch (error) {
      if (!(error instanceof RepositoryError) || error.code !== "corruptRoot") throw error;
      return { backupId, sizeBytes: null, lostBytes: null, ranges: [], reason: error.message };
    }
    if (root === undefined) return { backupId, sizeBytes: null, lostBytes: null, ranges: [], reason: "the root object is missing" };
    const ranges = await this.rangesOf(root);
    if (ranges.length === 0) return undefined;
    return { backupId, sizeBytes: root.sizeBytes, lostBytes: ranges.reduce((sum, { length }) => sum + length, 0), ranges, reason: null };
  }

  async #pageDamage(pageIds: Uint8Array, page: number): Promise<PageDamage> {
    const name = hexOf(pageIds.subarray(page * 32, page * 32 + 32));
    const known = this.#pages.get(name);
    if (known !== undefined) return known;
    const found = this.#damaged.get(name)?.reason ?? (await this.#lookInto(pageIds, page));
    this.#pages.set(name, found);
    return found;
  }

  async #lookInto(pageIds: Uint8Array, page: number): Promise<PageDamage> {
    let flat: Uint8Array | undefined;
    try {
      flat = await this.#parts.reader.pageOf(this.#tenant, this.#keys, pageIds, page);
    } catch (error) {
      if (error instanceof RepositoryError && error.code === "corruptPage") return error.message;
      throw error;
    }
    if (flat === undefined) return [];
    const found: { at: number; reason: string }[] = [];
    for (let at = 0; at < pageChunks; at++) {
      const damage = this.#damaged.get(hexOf(flat.subarray(at * 32, at * 32 + 32)));
      if (damage !== undefined) found.push({ at, reason: damage.reason });
    }
    return found;
  }
}

/** The ranges in a sentence, the first few by number. */
export function describeRanges(ranges: readonly DamagedRange[]): string {
  const shown = ranges.slice(0, 8).map(({ offset, length }) => `${offset} to ${offset + length}`);
  const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
  const more = ranges.length > shown.length ? ` and ${ranges.length - shown.length} more ranges` : "";
  return `${bytes} bytes are damaged: bytes ${shown.join(", ")}${more}`;
}

/** The same ranges ascending, with neighbours of one reason as one. */
export function joinRanges(ranges: readonly DamagedRange[]): DamagedRange[] {
  const joined: DamagedRange[] = [];
  for (const { offset, length, reason } of ranges.toSorted((a, b) => a.offset - b.offset)) {
    const last = joined.at(-1);
    if (last !== undefined && last.offset + last.length === offset && last.reason === reason) last.length += length;
    else joined.push({ offset, length, reason });
  }
  return joined;
}
