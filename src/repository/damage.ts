import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { integrityBeside } from "./index-integrity.ts";
import { hexOf } from "./layout.ts";
import type { RecordKind } from "./record.ts";

/** A chunk or page that has no sound copy. Times in microseconds since the epoch. */
export interface DamagedRecord {
  id: Uint8Array;
  kind: RecordKind;
  /** Where its bad copy lies; undefined when no pack that is known holds it. */
  packId: Uint8Array | undefined;
  reason: string;
  foundAtUs: number;
}

/** A pack as the checks know it. */
export interface CheckedPack {
  packId: Uint8Array;
  sizeBytes: number;
  kind: RecordKind;
  /** When all of its bytes were last read and verified; undefined = never. */
  verifiedAtUs: number | undefined;
}

/** Of one place in a pack, as the index keeps it. Offset and length in bytes. */
export interface PlacedRecord {
  id: Uint8Array;
  slot: number;
  offset: number;
  length: number;
  plainLength: number;
}

const schema = `
  CREATE TABLE IF NOT EXISTS damaged (
    tenant INTEGER NOT NULL, id BLOB NOT NULL, kind INTEGER NOT NULL, pack INTEGER, slot INTEGER, offset INTEGER, length INTEGER, plain INTEGER,
    reason TEXT NOT NULL, found INTEGER NOT NULL, PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pack_checks (pack INTEGER PRIMARY KEY, verified INTEGER NOT NULL) STRICT;
`;

/**
 * What is known to be broken, beside the places of what is sound: an id is in the one or in the other. A damaged record has lost its place, so
 * nothing finds it any more and the next backup that has its content stores it again; that takes it off this list. Part of the chunk index's file,
 * and derived like all of it: a check finds again what a lost index knew.
 */
export class DamageTable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Damaged records by tenant number. Kept, because every backup asks. */
  readonly #counts = new Map<number, number>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(schema);
    for (const row of database.prepare("SELECT tenant, count(*) AS n FROM damaged GROUP BY tenant").all())
      this.#counts.set(Number(row["tenant"]), Number(row["n"]));
  }

  /** How many records of the tenant are damaged. */
  countOf(tenant: string): number {
    const no = this.#tenantNo(tenant);
    return no === undefined ? 0 : (this.#counts.get(no) ?? 0);
  }

  /** Every damaged record of the tenant by the hex of its id. */
  of(tenant: string): Map<string, DamagedRecord> {
    const rows = this.#all(
      "SELECT d.id, d.kind, p.id AS packId, d.reason, d.found FROM damaged d LEFT JOIN packs p ON p.no = d.pack WHERE d.tenant = ?",
      this.#tenantNo(tenant) ?? -1,
    );
    return new Map(
      rows.map((row) => {
        const id = row["id"] as Uint8Array;
        const packId = (row["packId"] as Uint8Array | null) ?? undefined;
        const kind: RecordKind = row["kind"] === 1 ? "data" : "page";
        return [hexOf(id), { id, kind, packId, reason: String(row["reason"]), foundAtUs: Number(row["found"]) }];
      }),
    );
  }

  /** The places in this pack of records that are damaged there. */
  inPack(packId: Uint8Array): PlacedRecord[] {
    return this.#all(
      "SELECT d.id, d.slot, d.offset, d.length, d.plain FROM damaged d JOIN packs p ON p.no = d.pack WHERE p.id = ? ORDER BY d.slot",
      packId,
    ).map(placedOf);
  }

  /** The places that the index has in this pack. */
  placesIn(packId: Uint8Array): PlacedRecord[] {
    return this.#all(
      `SELECT r.id, r.slot, r.offset, r.length, r.plain FROM packs p JOIN records r ON r.tenant = p.tenant AND r.pack = p.no
       WHERE p.id = ? ORDER BY r.slot`,
      packId,
    ).map(placedOf);
  }

  /** These records, placed in this pack, are damaged: they lose their place. One that has its place elsewhere is left alone. Tells how many. */
  mark(tenant: string, packId: Uint8Array, damaged: readonly { id: Uint8Array; reason: string }[], foundAtUs: number): number {
    if (damaged.length === 0) return 0;
    return this.#transaction(tenant, (no) => {
      let marked = 0;
      const insert = this.#statement(
        `INSERT OR REPLACE INTO damaged SELECT r.tenant, r.id, p.kind, r.pack, r.slot, r.offset, r.length, r.plain, ?, ?
         FROM packs p JOIN records r ON r.pack = p.no AND r.tenant = p.tenant WHERE p.id = ? AND r.tenant = ? AND r.id = ?`,
      );
      const remove = this.#statement("DELETE FROM records WHERE tenant = ? AND id = ?");
      for (const { id, reason } of damaged) {
        if (insert.run(reason, foundAtUs, packId, no, id).changes === 0) continue;
        remove.run(no, id);
        marked++;
      }
      return marked;
    });
  }

  /** As {@link DamageTable.mark}, for everything that has its place in one of these packs. */
  markPacks(tenant: string, packIds: readonly Uint8Array[], reason: string, foundAtUs: number): number {
    if (packIds.length === 0) return 0;
    return this.#transaction(tenant, (no) => {
      this.#database.exec("CREATE TEMP TABLE lost_packs (no INTEGER PRIMARY KEY, kind INTEGER NOT NULL)");
      for (const packId of packIds) this.#database.prepare("INSERT OR IGNORE INTO lost_packs SELECT no, kind FROM packs WHERE id = ?").run(packId);
      const { changes } = this.#database
        .prepare(
          `INSERT OR REPLACE INTO damaged SELECT r.tenant, r.id, l.kind, r.pack, r.slot, r.offset, r.length, r.plain, ?, ?
           FROM records r JOIN lost_packs l ON l.no = r.pack WHERE r.tenant = ?`,
        )
        .run(reason, foundAtUs, no);
      this.#database.prepare("DELETE FROM records WHERE tenant = ? AND pack IN (SELECT no FROM lost_packs)").run(no);
      this.#database.exec("DROP TABLE lost_packs");
      return Number(changes);
    });
  }

  /** Something refers to these ids, and the index has no place for them. Tells how many were not known to be damaged. */
  markLost(tenant: string, kind: RecordKind, ids: readonly Uint8Array[], reason: string, foundAtUs: number): number {
    if (ids.length === 0) return 0;
    return this.#transaction(tenant, (no) => {
      const insert = this.#statement(
        `INSERT OR IGNORE INTO damaged SELECT ?1, ?2, ?3, NULL, NULL, NULL, NULL, NULL, ?4, ?5
         WHERE NOT EXISTS (SELECT 1 FROM records WHERE tenant = ?1 AND id = ?2)`,
      );
      let marked = 0;
      for (const id of ids) marked += Number(insert.run(no, id, kind === "data" ? 1 : 2, reason, foundAtUs).changes);
      return marked;
    });
  }

  /** What was called damaged in this pack has been read again and is sound: it has its place back. Tells how many. */
  reinstate(tenant: string, packId: Uint8Array, ids: readonly Uint8Array[]): number {
    if (ids.length === 0) return 0;
    return this.#transaction(tenant, (no) => {
      const insert = this.#statement(
        `INSERT OR IGNORE INTO records (tenant, id, pack, slot, offset, length, plain)
         SELECT d.tenant, d.id, d.pack, d.slot, d.offset, d.length, d.plain
         FROM damaged d JOIN packs p ON p.no = d.pack WHERE p.id = ? AND p.state < 2 AND d.tenant = ? AND d.id = ?`,
      );
      let restored = 0;
      for (const id of ids) {
        if (insert.run(packId, no, id).changes === 0) continue;
        this.forget(no, id);
        restored++;
      }
      return restored;
    });
  }

  /** The id has a sound place again. Inside the caller's transaction. */
  forget(tenantNo: number, id: Uint8Array): void {
    const count = this.#counts.get(tenantNo) ?? 0;
    if (count === 0) return;
    const { changes } = this.#statement("DELETE FROM damaged WHERE tenant = ? AND id = ?").run(tenantNo, id);
    if (changes === 0) return;
    this.#counts.set(tenantNo, count - Number(changes));
    this.#forgetPages(tenantNo);
  }

  /** Forgets damage that nothing refers to any more. `isReferred` gets the hex of an id. Tells how many records that were. */
  prune(tenant: string, isReferred: (id: string) => boolean): number {
    const idle = [...this.of(tenant)].filter(([name]) => !isReferred(name));
    if (idle.length === 0) return 0;
    return this.#transaction(tenant, (no) => {
      for (const [, { id }] of idle) this.#statement("DELETE FROM damaged WHERE tenant = ? AND id = ?").run(no, id);
      return idle.length;
    });
  }

  /** The tenant's packs, the longest unverified first. */
  packsToVerify(tenant: string): CheckedPack[] {
    return this.#all(
      `SELECT p.id, p.kind, p.size, c.verified FROM packs p LEFT JOIN pack_checks c ON c.pack = p.no WHERE p.tenant = ?
       ORDER BY c.verified IS NOT NULL, c.verified, p.no`,
      this.#tenantNo(tenant) ?? -1,
    ).map((row) => ({
      packId: row["id"] as Uint8Array,
      kind: row["kind"] === 1 ? "data" : "page",
      sizeBytes: Number(row["size"]),
      verifiedAtUs: row["verified"] === null ? undefined : Number(row["verified"]),
    }));
  }

  /** All bytes of the pack were read and looked at. */
  setVerified(packId: Uint8Array, atUs: number): void {
    this.#statement("INSERT OR REPLACE INTO pack_checks SELECT no, ? FROM packs WHERE id = ?").run(atUs, packId);
  }

  /** Forgets when packs were verified that are not there any more. */
  dropIdleChecks(): void {
    this.#database.exec("DELETE FROM pack_checks WHERE pack NOT IN (SELECT no FROM packs)");
  }

  /** Gives these records their place in this pack, unless it is being deleted. What is damaged at this very place stays so. */
  place(tenant: string, packId: Uint8Array, entries: readonly PlacedRecord[]): number {
    if (entries.length === 0) return 0;
    return this.#transaction(tenant, (no) => {
      const isDamaged = this.#statement(
        `SELECT 1 FROM damaged d JOIN packs p ON p.no = d.pack WHERE p.id = ? AND d.tenant = ? AND d.id = ?
         AND d.slot = ? AND d.offset = ? AND d.length = ? AND d.plain = ?`,
      );
      const insert = this.#statement(
        `INSERT OR REPLACE INTO records (tenant, id, pack, slot, offset, length, plain)
         SELECT ?, ?, no, ?, ?, ?, ? FROM packs WHERE id = ? AND state < 2`,
      );
      let placed = 0;
      for (const { id, slot, offset, length, plainLength } of entries) {
        if (isDamaged.get(packId, no, id, slot, offset, length, plainLength) !== undefined) continue;
        if (insert.run(no, id, slot, offset, length, plainLength, packId).changes === 0) continue;
        this.forget(no, id);
        placed++;
      }
      return placed;
    });
  }

  /** Corrects what the index says of the pack itself. Tells whether anything was wrong. */
  correctPack(tenant: string, packId: Uint8Array, kind: RecordKind, sizeBytes: number, recordCount: number): boolean {
    const code = kind === "data" ? 1 : 2;
    return (
      this.#transaction(tenant, (no) =>
        Number(
          this.#statement(
            `UPDATE packs SET kind = ?1, size = ?2, records = ?3, tenant = ?4
             WHERE id = ?5 AND (kind, size, records, tenant) IS NOT (?1, ?2, ?3, ?4)`,
          ).run(code, sizeBytes, recordCount, no, packId).changes,
        ),
      ) > 0
    );
  }

  /** What SQLite itself finds wrong with the index's file; empty when it is sound. */
  fileProblems(): Promise<string[]> {
    return integrityBeside(this.#database);
  }

  /** Pages were told when their chunks had other places. They are told again by who needs it. */
  #forgetPages(tenantNo: number): void {
    this.#statement("DELETE FROM page_packs WHERE tenant = ?").run(tenantNo);
  }

  #tenantNo(tenant: string): number | undefined {
    const row = this.#statement("SELECT no FROM tenants WHERE name = ?").get(tenant);
    return row === undefined ? undefined : Number(row["no"]);
  }

  /** `work` tells how many rows of the table it added or removed; they are counted afresh. */
  #transaction(tenant: string, work: (tenantNo: number) => number): number {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      let no = this.#tenantNo(tenant);
      no ??= Number(this.#statement("INSERT INTO tenants (name) VALUES (?)").run(tenant).lastInsertRowid);
      const changed = work(no);
      if (changed > 0) this.#forgetPages(no);
      this.#database.exec("COMMIT");
      this.#counts.set(no, Number(this.#statement("SELECT count(*) AS n FROM damaged WHERE tenant = ?").get(no)?.["n"] ?? 0));
      return changed;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}

function placedOf(row: Record<string, unknown>): PlacedRecord {
  return {
    id: row["id"] as Uint8Array,
    slot: Number(row["slot"]),
    offset: Number(row["offset"]),
    length: Number(row["length"]),
    plainLength: Number(row["plain"]),
  };
}
