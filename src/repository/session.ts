import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import { RepositoryError } from "./engine-types.ts";
import type { ChunkIndex, IndexedPack, Location } from "./index.ts";
import { rootObjectKey } from "./layout.ts";
import { sessionLeaseUs } from "./session-ledger.ts";
import type { LedgerClock, SessionRow } from "./session-ledger.ts";

export interface SessionParts {
  store: ObjectStore;
  index: ChunkIndex;
  clock: LedgerClock;
  random: Random;
}

/**
 * What a backup under way holds on to. While it is open, nothing that it has found, added or is compared with is deleted; everything that a backup
 * learns from the index, or adds to it, goes through here.
 */
export class BackupSession {
  readonly #parts: SessionParts;
  readonly #row: SessionRow;
  /** Packs touched by this session: while it is open that holds. */
  readonly #touched = new Set<number>();
  #renewedUs: number;

  private constructor(parts: SessionParts, row: SessionRow, nowUs: number) {
    this.#parts = parts;
    this.#row = row;
    this.#renewedUs = nowUs;
  }

  /** Opens the session, and pins the base before anybody looks at it: whether it is (still) there is to be asked afterwards. */
  static open(parts: SessionParts, options: { tenant: string; backupId: string; baseId?: string | undefined }): BackupSession {
    const { tenant, backupId, baseId } = options;
    const nowUs = parts.clock.nowUs();
    parts.index.ledger.noteTime(parts.clock);
    const row = parts.index.ledger.openSession({
      token: parts.random.bytes(16),
      tenant,
      backupId,
      pin: baseId ?? null,
      leaseUntilUs: nowUs + sessionLeaseUs,
    });
    return new BackupSession(parts, row, nowUs);
  }

  /** Keeps the lease; cheap, to be called often, for it looks only now and then unless `always`. `sessionLost` */
  keep(always = false): void {
    const nowUs = this.#parts.clock.nowUs();
    if (!always && nowUs >= this.#renewedUs && nowUs - this.#renewedUs < sessionLeaseUs / 8) return;
    this.#parts.index.ledger.noteTime(this.#parts.clock);
    this.#parts.index.ledger.renewSession(this.#row, nowUs + sessionLeaseUs);
    this.#renewedUs = nowUs;
  }

  /** Where these chunks or pages are, to be referred to. What is being deleted is not there. `sessionLost` */
  locate(ids: readonly Uint8Array[]): (Location | undefined)[] {
    const found = this.#parts.index.locate(this.#row.tenant, ids);
    const usable = this.#touch(found.flatMap((place) => (place === undefined ? [] : [place.packNo])));
    return found.map((place) => (place !== undefined && usable(place.packNo) ? place.location : undefined));
  }

  /** Whether a page can be referred to as it is, with all of its chunks: everything it needs is known, there, and from now on held. `sessionLost` */
  reusePage(pageId: Uint8Array): boolean {
    const packNos = this.#parts.index.packNosOfPage(this.#row.tenant, pageId);
    if (packNos === undefined) return false;
    const usable = this.#touch(packNos);
    return packNos.every(usable);
  }

  /** A pack that is in the store is known from now on. `sessionLost` */
  addPack(pack: IndexedPack): void {
    const { index } = this.#parts;
    index.addPack(this.#row.tenant, pack, () => index.ledger.requireSession(this.#row));
  }

  /**
   * Puts the root object: the backup exists. The session is looked at before, and again afterwards in the transaction that closes it: if its lease
   * has passed in between, what the root refers to may be on its way out, so the root goes again. `sessionLost`; `invalidRequest` when the id is
   * taken
   */
  async commit(root: Uint8Array): Promise<void> {
    const { index, store, clock } = this.#parts;
    const { tenant, backupId } = this.#row;
    index.ledger.renewSession(this.#row, clock.nowUs() + sessionLeaseUs);
    const key = rootObjectKey(tenant, backupId);
    if ((await store.putIfAbsent(key, [root])) === "exists")
      throw new RepositoryError("invalidRequest", `backupId ${backupId}: another backup took this id`);
    try {
      index.ledger.commitSession(this.#row);
    } catch (error) {
      await store.delete(key);
      throw error;
    }
  }

  /** Lets go of everything, unless it was committed. Idempotent. */
  close(): void {
    this.#parts.index.ledger.dropSession(this.#row);
  }

  #touch(packNos: readonly number[]): (packNo: number) => boolean {
    const untouched = [...new Set(packNos)].filter((packNo) => !this.#touched.has(packNo));
    if (untouched.length > 0) for (const packNo of this.#parts.index.ledger.touch(this.#row, untouched)) this.#touched.add(packNo);
    return (packNo) => this.#touched.has(packNo);
  }
}
