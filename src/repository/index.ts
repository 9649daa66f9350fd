import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { ObjectStore } from "#storage/store.ts";
import { DamageTable } from "./damage.ts";
import { RepositoryError } from "./engine-types.ts";
import { reconcileIndex } from "./index-reconcile.ts";
import type { Reconciled } from "./index-reconcile.ts";
import { indexTransaction } from "./index-transaction.ts";
import { hexOf } from "./layout.ts";
import type { PackEntry, RecordKind } from "./pack.ts";
import { ReplicaRefs } from "./replica-refs.ts";
import { epochSql, prepareLedger, SessionLedger } from "./session-ledger.ts";

/** Where a chunk or a page is. Offset and length in bytes, of the whole record. */
export interface Location {
  packId: Uint8Array;
  kind: RecordKind;
  slot: number;
  offset: number;
  length: number;
  plainLength: number;
}

export interface IndexedPack {
  packId: Uint8Array;
  kind: RecordKind;
  sizeBytes: number;
  entries: Pick<PackEntry, "id" | "slot" | "offset" | "length" | "plainLength">[];
}

const schemaVersion = 1;
const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE tenants (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE packs (
    no INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, tenant INTEGER NOT NULL, kind INTEGER NOT NULL,
    size INTEGER NOT NULL, records INTEGER NOT NULL, ignored INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE records (
    tenant INTEGER NOT NULL, id BLOB NOT NULL, pack INTEGER NOT NULL, slot INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, plain INTEGER NOT NULL, PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE page_packs (tenant INTEGER NOT NULL, page BLOB NOT NULL, packs BLOB NOT NULL, PRIMARY KEY (tenant, page)) STRICT, WITHOUT ROWID;
`;

/**
 * chunk or page → place, for all tenants of one repository, in an SQLite file of its own. Synchronous; one connection.
 * It holds nothing that the packs in the store do not say: a commit lost with the power, or the whole file, is made good by {@link
 * ChunkIndex.reconcile}.
 */
export class ChunkIndex {
  /** What is known to be broken. */
  readonly damage: DamageTable;
  /** Who uses which pack; in the same file, over the same rows. */
  readonly ledger: SessionLedger;
  /** Of copies that arrive: what the source calls what is here. */
  readonly replicaRefs: ReplicaRefs;
  readonly #database: DatabaseSync;
  readonly #lookup: StatementSync;
  readonly #insertRecord: StatementSync;
  readonly #pagePacks: StatementSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #tenants = new Map<string, number>();

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.damage = new DamageTable(database);
    this.ledger = new SessionLedger(database);
    this.replicaRefs = new ReplicaRefs(database);
    this.#lookup = database.prepare(
      `SELECT p.no AS packNo, p.id AS packId, p.kind, r.slot, r.offset, r.length, r.plain
       FROM records r JOIN packs p ON p.no = r.pack WHERE r.tenant = ? AND r.id = ? AND p.state < 2`,
    );
    this.#insertRecord = database.prepare(
      "INSERT OR IGNORE INTO records (tenant, id, pack, slot, offset, length, plain) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#pagePacks = database.prepare("SELECT packs FROM page_packs WHERE tenant = ? AND page = ?");
  }

  /** Opens or creates the file. Errors: `notARepository` when it is another repository's index or no index; `newerFormat`. */
  static open(path: string, repositoryId: string): ChunkIndex {
    return ChunkIndex.over(new DatabaseSync(path, { timeout: 5000 }), path, repositoryId);
  }

  /** As {@link ChunkIndex.open}, over an open database, which is closed with the index. `path`: what errors call it. */
  static over(database: DatabaseSync, path: string, repositoryId: string): ChunkIndex {
    try {
      // Ids are random, so a pack's rows touch a page each: checkpoints 8 times rarer than the default more than halve the cost of a row.
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;
         PRAGMA wal_autocheckpoint = 8192; PRAGMA temp_store = MEMORY`,
      );
      if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) {
        if (database.prepare("SELECT 1 FROM sqlite_schema").get() !== undefined)
          throw new RepositoryError("notARepository", `${path} is not a chunk index`);
        database.exec(`BEGIN; ${schema}`);
        database.prepare("INSERT INTO meta VALUES ('version', ?), ('repository', ?)").run(String(schemaVersion), repositoryId);
        database.exec("COMMIT");
      }
      const meta = new Map(
        database
          .prepare("SELECT name, value FROM meta")
          .all()
          .map((row) => [String(row["name"]), String(row["value"])]),
      );
      if (Number(meta.get("version")) > schemaVersion)
        throw new RepositoryError("newerFormat", `the chunk index ${path} is of version ${meta.get("version")}`);
      if (meta.get("repository") !== repositoryId)
        throw new RepositoryError("notARepository", `the chunk index ${path} is that of repository ${meta.get("repository")}, not ${repositoryId}`);
      prepareLedger(database);
      return new ChunkIndex(database);
    } catch (error) {
      database.close();
      if (error instanceof RepositoryError) throw error;
      throw new RepositoryError(
        "notARepository",
        `the chunk index ${path} cannot be opened: ${(error as Error).message}; delete it to have it rebuilt`,
        error,
      );
    }
  }

  close(): void {
    this.#database.close();
  }

  /** The places of many chunks or pages, in the order asked. */
  lookup(tenant: string, ids: readonly Uint8Array[]): (Location | undefined)[] {
    const no = this.#tenantNo(tenant);
    return ids.map((id) => (no === undefined ? undefined : locationOf(this.#lookup.get(no, id))));
  }

  /** As {@link ChunkIndex.lookup}, with the number by which the ledger knows the pack. */
  locate(tenant: string, ids: readonly Uint8Array[]): ({ packNo: number; location: Location } | undefined)[] {
    const no = this.#tenantNo(tenant);
    return ids.map((id) => {
      const row = no === undefined ? undefined : this.#lookup.get(no, id);
      const location = locationOf(row);
      return row && location && { packNo: Number(row["packNo"]), location };
    });
  }

  /**
   * Adds a pack and its records in one transaction, in which `guard` may throw. The pack counts as touched now. The first place of an id stays, and
   * its pack counts as touched too, for whoever adds this one relies on it; adding a known pack changes nothing else.
   */
  addPack(tenant: string, pack: IndexedPack, guard?: () => void): void {
    this.#transaction(() => {
      guard?.();
      const no = this.#tenantNo(tenant) ?? this.#newTenant(tenant);
      const kind = pack.kind === "data" ? 1 : 2;
      const added = this.#run(
        `INSERT OR IGNORE INTO packs (id, tenant, kind, size, records, ignored, touch_epoch) VALUES (?, ?, ?, ?, ?, 0, ${epochSql})`,
        [pack.packId, no, kind, pack.sizeBytes, pack.entries.length],
      );
      if (added.changes === 0) {
        this.ledger.touchRow(this.#packNo(pack.packId));
        return;
      }
      const packNo = Number(added.lastInsertRowid);
      const ignored = pack.entries.length - this.#insertRecords(no, packNo, pack.entries);
      if (ignored > 0) this.#run("UPDATE packs SET ignored = ? WHERE no = ?", [ignored, packNo]);
    });
  }

  hasPack(packId: Uint8Array): boolean {
    return this.#statement("SELECT 1 FROM packs WHERE id = ?").get(packId) !== undefined;
  }

  /** Every pack of the tenant, in the order in which they were added. */
  *packsOf(tenant: string): IterableIterator<{ packId: Uint8Array; kind: RecordKind; sizeBytes: number; recordCount: number }> {
    const no = this.#tenantNo(tenant);
    if (no === undefined) return;
    for (const row of this.#database.prepare("SELECT id, kind, size, records FROM packs WHERE tenant = ? ORDER BY no").iterate(no))
      yield {
        packId: row["id"] as Uint8Array,
        kind: row["kind"] === 1 ? "data" : "page",
        sizeBytes: Number(row["size"]),
        recordCount: Number(row["records"]),
      };
  }

  packCountOf(tenant: string): number {
    const no = this.#tenantNo(tenant);
    return no === undefined ? 0 : Number(this.#statement("SELECT count(*) AS n FROM packs WHERE tenant = ?").get(no)?.["n"]);
  }

  /** Names of all tenants that have, or had, packs. */
  tenants(): string[] {
    return this.#statement("SELECT name FROM tenants ORDER BY no")
      .all()
      .map((row) => String(row["name"]));
  }

  /** Remembers which packs hold the chunks of a page. Every pack must have been added; `missingChunk` otherwise. Repeating replaces. */
  recordPagePacks(tenant: string, pageId: Uint8Array, packIds: readonly Uint8Array[]): void {
    this.recordManyPagePacks(tenant, [{ pageId, packIds }]);
  }

  /** As {@link ChunkIndex.recordPagePacks}, for many pages in one transaction. */
  recordManyPagePacks(tenant: string, pages: readonly { pageId: Uint8Array; packIds: readonly Uint8Array[] }[]): void {
    this.#transaction(() => {
      const no = this.#tenantNo(tenant) ?? this.#newTenant(tenant);
      for (const { pageId, packIds } of pages) {
        const numbers = new Set(packIds.map((packId) => this.#packNo(packId)));
        const blob = Buffer.alloc(numbers.size * 6);
        let at = 0;
        for (const number of numbers) at = blob.writeUIntLE(number, at, 6);
        this.#run("INSERT OR REPLACE INTO page_packs (tenant, page, packs) VALUES (?, ?, ?)", [no, pageId, blob]);
      }
    });
  }

  /** Whether the packs of a page are remembered. */
  hasPagePacks(tenant: string, pageId: Uint8Array): boolean {
    const no = this.#tenantNo(tenant);
    return no !== undefined && this.#pagePacks.get(no, pageId) !== undefined;
  }

  /** Pages whose packs are not remembered (never told, or forgotten because a pack was dropped or the index rebuilt). Holes are none. */
  pagesWithoutPacks(tenant: string, pageIds: readonly Uint8Array[]): Uint8Array[] {
    return pageIds.filter((pageId) => !isHoleId(pageId) && !this.hasPagePacks(tenant, pageId));
  }

  /** Distinct packs that the pages refer to. `missingChunk` when the packs of a page are not remembered: see {@link ChunkIndex.pagesWithoutPacks}. */
  countPacks(tenant: string, pageIds: readonly Uint8Array[]): number {
    const no = this.#tenantNo(tenant);
    const numbers = new Set<number>();
    for (const pageId of pageIds) {
      if (isHoleId(pageId)) continue;
      const row = no === undefined ? undefined : this.#pagePacks.get(no, pageId);
      if (!row) throw new RepositoryError("missingChunk", `the packs of page ${hexOf(pageId)} of tenant ${tenant} are not known`);
      for (const number of packNosIn(row)) numbers.add(number);
    }
    return numbers.size;
  }

  /** Numbers of the packs that hold a page's chunks, and of the page's own; undefined unless all of that is known. */
  packNosOfPage(tenant: string, pageId: Uint8Array): number[] | undefined {
    const chunks = this.rememberedPackNos(tenant, pageId);
    const [own] = this.locate(tenant, [pageId]);
    return chunks === undefined || own === undefined ? undefined : [own.packNo, ...chunks];
  }

  /** The packs of a page's chunks as far as they are remembered, whether or not the page itself can be found. */
  rememberedPackNos(tenant: string, pageId: Uint8Array): number[] | undefined {
    const no = this.#tenantNo(tenant);
    const row = no === undefined ? undefined : this.#pagePacks.get(no, pageId);
    return row && packNosIn(row);
  }

  /**
   * Adds a pack that holds copies of records of other packs (`from`, one per entry), and moves the places of those that are still where they were
   * copied from. `guard` may throw in the same transaction. Which packs pages refer to is forgotten where it named the old ones, to be told again.
   */
  addCopies(tenant: string, pack: IndexedPack, from: readonly number[], guard: () => void): void {
    this.#transaction(() => {
      guard();
      const no = this.#tenantNo(tenant) as number;
      // A service that has just started may have found it in the store and added it already.
      this.#run(`INSERT OR IGNORE INTO packs (id, tenant, kind, size, records, ignored, touch_epoch) VALUES (?, ?, ?, ?, ?, 0, ${epochSql})`, [
        pack.packId,
        no,
        pack.kind === "data" ? 1 : 2,
        pack.sizeBytes,
        pack.entries.length,
      ]);
      const packNo = this.#packNo(pack.packId);
      if (!this.ledger.touchRow(packNo)) throw new RepositoryError("collectRunning", `pack ${hexOf(pack.packId)} is being deleted`);
      const sql = "UPDATE records SET pack = ?, slot = ?, offset = ?, length = ?, plain = ? WHERE tenant = ? AND id = ? AND pack = ?";
      let moved = 0;
      for (const [at, { id, slot, offset, length, plainLength }] of pack.entries.entries()) {
        if (this.#run(sql, [packNo, slot, offset, length, plainLength, no, id, from[at]!]).changes === 0) continue;
        moved++;
        this.#run("UPDATE packs SET ignored = ignored + 1 WHERE no = ?", [from[at]!]);
      }
      this.#run("UPDATE packs SET ignored = ? WHERE no = ?", [pack.entries.length - moved, packNo]);
      // What was needed of them has moved: it is not missing.
      for (const old of new Set(from)) this.#run("UPDATE packs SET needed = 0 WHERE no = ?", [old]);
      this.#forgetPagePacks(no, new Set(from));
    });
  }

  /**
   * Removes the places in packs that are being deleted, of ids that start with this byte: the whole is done in 256 short steps, between which
   * others get their turn.
   */
  removePlaces(tenant: string, packNos: ReadonlySet<number>, firstByte: number): void {
    const no = this.#tenantNo(tenant);
    if (no === undefined) return;
    this.#transaction(() => {
      const from = Buffer.alloc(32);
      from[0] = firstByte;
      const to = Buffer.alloc(33, 0xff);
      to[0] = firstByte;
      const rows = this.#statement("SELECT id, pack FROM records WHERE tenant = ? AND id >= ? AND id <= ?").all(no, from, to);
      for (const row of rows) {
        if (!packNos.has(Number(row["pack"]))) continue;
        this.#run("DELETE FROM records WHERE tenant = ? AND id = ?", [no, row["id"] as Uint8Array]);
        this.#run("DELETE FROM page_packs WHERE tenant = ? AND page = ?", [no, row["id"] as Uint8Array]);
      }
      this.replicaRefs.sweep(tenant, no, firstByte);
    });
  }

  /** Removes the rows of packs that are being deleted, whose places are gone. */
  removePackRows(tenant: string, packNos: ReadonlySet<number>): void {
    const no = this.#tenantNo(tenant);
    if (no === undefined) return;
    this.#transaction(() => {
      this.#forgetPagePacks(no, packNos);
      for (const packNo of packNos) this.#run("DELETE FROM packs WHERE no = ? AND state = 2", [packNo]);
    });
  }

  /** Forgets packs and all that was known through them. Page → packs is forgotten for the whole tenant, to be told again. */
  dropPacks(packIds: readonly Uint8Array[]): void {
    if (packIds.length === 0) return;
    this.#transaction(() => {
      this.#database.exec("INSERT OR REPLACE INTO meta VALUES ('refill', '1')");
      this.#database.exec("CREATE TEMP TABLE dropped (no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL)");
      for (const packId of packIds) this.#run("INSERT INTO dropped SELECT no, tenant FROM packs WHERE id = ?", [packId]);
      this.#database.exec(`
        DELETE FROM records WHERE tenant IN (SELECT tenant FROM dropped) AND pack IN (SELECT no FROM dropped);
        DELETE FROM page_packs WHERE tenant IN (SELECT tenant FROM dropped);
        DELETE FROM packs WHERE no IN (SELECT no FROM dropped);
        DROP TABLE dropped`);
    });
  }

  /** Whether packs were dropped and what they held has not been looked for elsewhere yet. */
  get needsRefill(): boolean {
    return this.#statement("SELECT 1 FROM meta WHERE name = 'refill'").get() !== undefined;
  }

  /** What dropped packs held has been looked for everywhere. */
  refilled(): void {
    this.#run("DELETE FROM meta WHERE name = 'refill'", []);
  }

  /** Packs with records that were ignored because the id was known from another pack. */
  packsWithIgnored(tenant: string): Uint8Array[] {
    const no = this.#tenantNo(tenant);
    if (no === undefined) return [];
    return this.#statement("SELECT id FROM packs WHERE tenant = ? AND ignored > 0 ORDER BY no")
      .all(no)
      .map((row) => row["id"] as Uint8Array);
  }

  /** Gives a known pack's records another chance: ids that have lost their place get one in it. */
  refillPack(tenant: string, packId: Uint8Array, entries: IndexedPack["entries"]): void {
    this.#transaction(() => {
      const packNo = this.#packNo(packId);
      const restored = this.#insertRecords(this.#tenantNo(tenant) as number, packNo, entries);
      this.#run("UPDATE packs SET ignored = ignored - ? WHERE no = ?", [restored, packNo]);
    });
  }

  /**
   * Makes the index agree with the store: packs that it does not know are added from their trailers (or, failing that, their records), packs
   * that the store lacks are dropped. To be called at open, before anything relies on the index.
   */
  reconcile(store: ObjectStore): Promise<Reconciled> {
    return reconcileIndex(this, store);
  }

  #forgetPagePacks(tenantNo: number, packNos: ReadonlySet<number>): void {
    const stale: Uint8Array[] = [];
    for (const row of this.#database.prepare("SELECT page, packs FROM page_packs WHERE tenant = ?").iterate(tenantNo))
      if (packNosIn(row).some((packNo) => packNos.has(packNo))) stale.push(row["page"] as Uint8Array);
    for (const page of stale) this.#run("DELETE FROM page_packs WHERE tenant = ? AND page = ?", [tenantNo, page]);
  }

  #insertRecords(tenantNo: number, packNo: number, entries: IndexedPack["entries"]): number {
    let inserted = 0;
    const elsewhere = new Set<number>();
    for (const { id, slot, offset, length, plainLength } of entries) {
      if (this.#insertRecord.run(tenantNo, id, packNo, slot, offset, length, plainLength).changes === 0) {
        const other = Number(this.#statement("SELECT pack FROM records WHERE tenant = ? AND id = ?").get(tenantNo, id)?.["pack"]);
        if (other === packNo || elsewhere.has(other)) continue;
        if (this.ledger.touchRow(other)) {
          elsewhere.add(other);
          continue;
        }
        // Its pack is being deleted: this is the place from now on.
        const sql = "UPDATE records SET pack = ?, slot = ?, offset = ?, length = ?, plain = ? WHERE tenant = ? AND id = ?";
        this.#run(sql, [packNo, slot, offset, length, plainLength, tenantNo, id]);
      }
      inserted++;
      this.damage.forget(tenantNo, id);
    }
    return inserted;
  }

  #packNo(packId: Uint8Array): number {
    const row = this.#statement("SELECT no FROM packs WHERE id = ?").get(packId);
    if (!row) throw new RepositoryError("missingChunk", `pack ${hexOf(packId)} is not in the index`);
    return Number(row["no"]);
  }

  #tenantNo(tenant: string): number | undefined {
    let no = this.#tenants.get(tenant);
    if (no !== undefined) return no;
    const row = this.#statement("SELECT no FROM tenants WHERE name = ?").get(tenant);
    if (!row) return undefined;
    no = Number(row["no"]);
    this.#tenants.set(tenant, no);
    return no;
  }

  /** Not remembered before the transaction that it belongs to has committed. */
  #newTenant(tenant: string): number {
    return Number(this.#run("INSERT INTO tenants (name) VALUES (?)", [tenant]).lastInsertRowid);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }

  #run(sql: string, values: (string | number | Uint8Array)[]): ReturnType<StatementSync["run"]> {
    return this.#statement(sql).run(...values);
  }

  #transaction(work: () => void): void {
    indexTransaction(this.#database, work);
  }
}

function packNosIn(row: NonNullable<ReturnType<StatementSync["get"]>>): number[] {
  const blob = Buffer.from(row["packs"] as Uint8Array);
  return Array.from({ length: blob.length / 6 }, (_, at) => blob.readUIntLE(at * 6, 6));
}

const isHoleId = (id: Uint8Array): boolean => id.every((byte) => byte === 0);

function locationOf(row: ReturnType<StatementSync["get"]>): Location | undefined {
  if (row === undefined) return undefined;
  return {
    packId: row["packId"] as Uint8Array,
    kind: row["kind"] === 1 ? "data" : "page",
    slot: row["slot"] as number,
    offset: row["offset"] as number,
    length: row["length"] as number,
    plainLength: row["plain"] as number,
  };
}
