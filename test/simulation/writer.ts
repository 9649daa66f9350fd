import type { Claims } from "#repository/backup-pipeline-claims.ts";
import type { RepositoryReader } from "#repository/engine-reader.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { hexOf } from "#repository/layout.ts";
import { decodePage, encodePage, flatPageBytes, isHolePage, pageChunks, pageIdOf } from "#repository/page.ts";
import { PackWriter } from "#repository/pack.ts";
import type { FinishedPack, RecordKind } from "#repository/pack.ts";
import { sealRoot } from "#repository/root.ts";
import { BackupSession } from "#repository/session.ts";
import type { SessionParts } from "#repository/session.ts";
import { chunkBytes, contentOf, diskBytes, keys, pageCount, tenant } from "./disk.ts";
import type { Disk } from "./disk.ts";

export interface WriterParts extends SessionParts {
  reader: RepositoryReader;
  claims: Claims;
  /** Reading a chunk takes its time. */
  read(): Promise<void>;
}

const smallPackBytes = 1400;

/** The decisions of the backup pipeline, over the same session, claims and codecs, one chunk at a time. */
export async function backUp(parts: WriterParts, backupId: string, disk: Disk, baseId: string | undefined): Promise<void> {
  const session = BackupSession.open(parts, { tenant, backupId, baseId });
  const owner = {};
  try {
    await new Writer(parts, session, owner, backupId, baseId).run(disk);
  } catch (error) {
    // What a run meets whose session is gone, it meets because of that.
    if (error instanceof RepositoryError) session.keep(true);
    throw error;
  } finally {
    session.close();
    parts.claims.release(owner);
  }
}

class Writer {
  readonly #parts: WriterParts;
  readonly #session: BackupSession;
  readonly #owner: object;
  readonly #backupId: string;
  readonly #baseId: string | undefined;
  readonly #open = new Map<RecordKind, PackWriter>();
  readonly #waiting: Promise<void>[] = [];
  /** Ids that lie in packs of ours, stored or about to be. */
  readonly #own = new Set<string>();

  constructor(parts: WriterParts, session: BackupSession, owner: object, backupId: string, baseId: string | undefined) {
    this.#parts = parts;
    this.#session = session;
    this.#owner = owner;
    this.#backupId = backupId;
    this.#baseId = baseId;
  }

  async run(disk: Disk): Promise<void> {
    const { reader, random } = this.#parts;
    const base = this.#baseId === undefined ? undefined : await reader.root(tenant, keys, this.#baseId);
    if (this.#baseId !== undefined && base === undefined) throw new RepositoryError("missingRoot", "the base has no root object");
    const pageIds = new Uint8Array(pageCount * 32);
    const pagePacks: { pageId: Uint8Array; packs: Set<string> }[] = [];
    const pages: Uint8Array[] = [];
    for (let page = 0; page < pageCount; page++) {
      for (let hole = 0; hole < 4; hole++) {
        await this.#parts.read();
        this.#session.keep();
      }
      const parent = base && (await reader.pageOf(tenant, keys, base.pageIds, page));
      const flat = new Uint8Array(flatPageBytes);
      for (const [chunk, content] of disk) {
        if (Math.floor(chunk / pageChunks) !== page) continue;
        const { id, plain } = contentOf(content);
        const at = (chunk % pageChunks) * 32;
        flat.set(id, at);
        await this.#parts.read();
        this.#session.keep();
        const isSame = parent !== undefined && Buffer.compare(parent.subarray(at, at + 32), id) === 0;
        if (!isSame) await this.#keepChunk(id, plain);
      }
      pages.push(flat);
      if (isHolePage(flat)) continue;
      const encoded = encodePage(flat);
      const pageId = pageIdOf(keys, encoded);
      pageIds.set(pageId, page * 32);
      if (parent !== undefined && Buffer.compare(parent, flat) === 0 && this.#session.reusePage(pageId)) continue;
      // What was the same as in the base has not been looked up so far; what is being deleted is stored again.
      for (const [chunk, content] of disk)
        if (Math.floor(chunk / pageChunks) === page) await this.#keepChunk(contentOf(content).id, contentOf(content).plain);
      if (this.#session.locate([pageId])[0] === undefined && !this.#own.has(hexOf(pageId))) await this.#add("page", pageId, encoded);
      pagePacks.push({ pageId, packs: new Set() });
    }
    await this.#flush("data");
    await Promise.all(this.#waiting);
    await this.#flush("page");
    this.#recordPagePacks(pagePacks, pages);
    const root = sealRoot(
      keys,
      {
        tenant,
        backupId: this.#backupId,
        baseId: this.#baseId ?? null,
        sizeBytes: diskBytes,
        chunkBytes,
        pageIds,
        statistics: { ...noStatistics, sizeBytes: diskBytes },
        document: null,
      },
      random,
    );
    await this.#session.commit(root);
  }

  /** Makes sure that the chunk is in some pack, of ours or of others. */
  async #keepChunk(id: Uint8Array, plain: Uint8Array): Promise<void> {
    const { claims } = this.#parts;
    if (this.#own.has(hexOf(id)) || this.#session.locate([id])[0] !== undefined) return;
    const claim = claims.find(tenant, id);
    if (claim === undefined) {
      claims.make(tenant, id, this.#owner);
      return await this.#add("data", id, plain);
    }
    const settled = Promise.withResolvers<void>();
    claim.onSettled((packId) => {
      if (packId !== undefined && this.#session.locate([id])[0] !== undefined) settled.resolve();
      else settled.reject(new RepositoryError("storeUnavailable", "the other backup failed"));
    });
    settled.promise.catch(() => undefined);
    this.#waiting.push(settled.promise);
  }

  async #add(kind: RecordKind, id: Uint8Array, plain: Uint8Array): Promise<void> {
    this.#own.add(hexOf(id));
    let writer = this.#open.get(kind);
    if (writer === undefined) {
      writer = new PackWriter({
        tenant,
        packId: this.#parts.random.bytes(16),
        keys,
        kind,
        targetBytes: smallPackBytes,
        buffer: Buffer.alloc(1 << 16),
      });
      this.#open.set(kind, writer);
    }
    writer.add(id, plain);
    if (writer.recordCount >= 4) await this.#flush(kind);
  }

  async #flush(kind: RecordKind): Promise<void> {
    const writer = this.#open.get(kind);
    this.#open.delete(kind);
    if (writer === undefined) return;
    await this.#store(writer.finish());
  }

  async #store({ packId, kind, key, bytes, entries }: FinishedPack): Promise<void> {
    await this.#parts.store.putIfAbsent(key, [bytes]);
    this.#session.addPack({ packId, kind, sizeBytes: bytes.length, entries });
    if (kind === "data") this.#parts.claims.settle(tenant, entries, packId);
  }

  #recordPagePacks(pages: { pageId: Uint8Array }[], flats: Uint8Array[]): void {
    const byId = new Map(flats.filter((flat) => !isHolePage(flat)).map((flat) => [hexOf(pageIdOf(keys, encodePage(flat))), flat]));
    for (const { pageId } of pages) {
      const flat = decodePage(encodePage(byId.get(hexOf(pageId))!));
      const ids = Array.from({ length: pageChunks }, (_, at) => flat.subarray(at * 32, at * 32 + 32)).filter((id) => id.some((byte) => byte !== 0));
      const places = this.#session.locate(ids);
      if (places.some((place) => place === undefined)) throw new RepositoryError("missingChunk", "a chunk that this backup relies on is in no pack");
      this.#parts.index.recordPagePacks(
        tenant,
        pageId,
        places.map((place) => place!.packId),
      );
    }
  }
}

const noStatistics = {
  readBytes: 0,
  dataBytes: 0,
  newBytes: 0,
  storedBytes: 0,
  unchangedBytes: 0,
  deduplicatedBytes: 0,
  newChunks: 0,
  objectCount: 0,
  compressed: true,
  durationMs: 0,
};
