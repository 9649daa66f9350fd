import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock } from "#platform/clock.ts";
import { RepositoryError } from "./engine-types.ts";
import { indexTransaction } from "./index-transaction.ts";
import { hexOf } from "./layout.ts";

/** What may be done with a pack. A condemned one is revived by a touch; one that is being deleted is as good as absent. */
export const packStates = { live: 0, condemned: 1, deleting: 2 } as const;

/** How long a session holds without being renewed. */
export const sessionLeaseUs = 15 * 60 * 1_000_000;

export type LedgerClock = Pick<Clock, "nowUs" | "elapsedUs">;

/** A backup that is under way, as its row says. `token` is new for every session and tells whether the row is still this one's. */
export interface SessionRow {
  no: number;
  token: Uint8Array;
  tenant: string;
  backupId: string;
  /** The epoch in which it was opened: what is touched from now on is safe from every mark that starts before it closes. */
  epoch: number;
}

/** A mark that has started. */
export interface MarkStart {
  epoch: number;
  /** Packs touched in this epoch or later are not condemned by this mark. */
  floor: number;
  /** Backups that sessions are compared with. */
  pins: string[];
  /** Backups that the index knows to have been committed. */
  roots: string[];
}

/** A pack as collection sees it. */
export interface LedgerPack {
  no: number;
  packId: Uint8Array;
  kind: "data" | "page";
  sizeBytes: number;
  recordCount: number;
  state: number;
  touchEpoch: number;
  condemnedAtUs: number;
  condemnedEpoch: number;
  /** Bytes of it that some root needed when that was looked at last; undefined when it has not been yet. */
  neededBytes: number | undefined;
}

const tables = `
  CREATE TABLE IF NOT EXISTS sessions (
    no INTEGER PRIMARY KEY AUTOINCREMENT, token BLOB NOT NULL UNIQUE, tenant TEXT NOT NULL, backup TEXT NOT NULL, pin TEXT,
    epoch INTEGER NOT NULL, lease INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS roots (tenant TEXT NOT NULL, backup TEXT NOT NULL, PRIMARY KEY (tenant, backup)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS orphans (key TEXT PRIMARY KEY, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS collector (one INTEGER PRIMARY KEY CHECK (one = 1), token BLOB NOT NULL, lease INTEGER NOT NULL) STRICT;
`;
const packColumns = { touch_epoch: 0, state: 0, condemned_at: 0, condemned_epoch: 0, needed: -1 };

/** The current epoch, as SQL. */
export const epochSql = "(SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'epoch')";

/** Adds what collection needs to an index that has none of it. A pack that was there counts as touched now. */
export function prepareLedger(database: DatabaseSync): void {
  const known = new Set(
    database
      .prepare("SELECT name FROM pragma_table_info('packs')")
      .all()
      .map((row) => String(row["name"])),
  );
  database.exec(tables);
  for (const [column, value] of Object.entries(packColumns))
    if (!known.has(column)) database.exec(`ALTER TABLE packs ADD COLUMN ${column} INTEGER NOT NULL DEFAULT ${value}`);
  database.exec("INSERT OR IGNORE INTO meta VALUES ('epoch', '1'), ('generation', '0')");
  if (!known.has("touch_epoch")) database.exec(`UPDATE packs SET touch_epoch = ${epochSql}`);
}

/**
 * Who uses which pack, and which packs are on their way out: the rows over which writers and collection meet. Every method is one transaction in the
 * index's file. Times are in microseconds. The protocol: docs/format/collection.md.
 */
export class SessionLedger {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #noted: { timeUs: number; elapsedUs: number } | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get epoch(): number {
    return Number(this.#get(`SELECT ${epochSql} AS epoch`)?.["epoch"]);
  }

  /** `token`: 16 random bytes. `pin`: the backup that it is compared with, whose data stays while the session is open. */
  openSession(options: { token: Uint8Array; tenant: string; backupId: string; pin: string | null; leaseUntilUs: number }): SessionRow {
    const { token, tenant, backupId, pin, leaseUntilUs } = options;
    return this.#transaction(() => {
      const epoch = this.epoch;
      const { lastInsertRowid } = this.#run(
        "INSERT INTO sessions (token, tenant, backup, pin, epoch, lease) VALUES (?, ?, ?, ?, ?, ?)",
        token,
        tenant,
        backupId,
        pin,
        epoch,
        leaseUntilUs,
      );
      return { no: Number(lastInsertRowid), token, tenant, backupId, epoch };
    });
  }

  /** `sessionLost` when its lease has passed and a collection has noticed. */
  renewSession(session: SessionRow, leaseUntilUs: number): void {
    const { changes } = this.#run("UPDATE sessions SET lease = ? WHERE no = ? AND token = ?", leaseUntilUs, session.no, session.token);
    if (changes === 0) throw sessionLost(session);
  }

  /** To be called inside a transaction that writes for the session. `sessionLost` */
  requireSession(session: SessionRow): void {
    if (this.#get("SELECT 1 FROM sessions WHERE no = ? AND token = ?", session.no, session.token) === undefined) throw sessionLost(session);
  }

  /** Closes the session; its backup counts as committed. `sessionLost`: then it must not be answered as such. */
  commitSession(session: SessionRow): void {
    this.#transaction(() => {
      this.requireSession(session);
      this.#run("INSERT OR IGNORE INTO roots (tenant, backup) VALUES (?, ?)", session.tenant, session.backupId);
      this.#run("DELETE FROM sessions WHERE no = ?", session.no);
    });
  }

  /** Closes a session that failed. Idempotent. */
  dropSession(session: SessionRow): void {
    this.#run("DELETE FROM sessions WHERE no = ? AND token = ?", session.no, session.token);
  }

  openSessionCount(): number {
    return Number(this.#get("SELECT count(*) AS n FROM sessions")?.["n"]);
  }

  isPinned(tenant: string, backupId: string): boolean {
    return this.#get("SELECT 1 FROM sessions WHERE tenant = ? AND pin = ?", tenant, backupId) !== undefined;
  }

  /** These packs are in use: revives what is condemned. Tells which of them are there to be used. `sessionLost` */
  touch(session: SessionRow, packNos: readonly number[]): Set<number> {
    return this.#transaction(() => {
      this.requireSession(session);
      return new Set(packNos.filter((no) => this.touchRow(no)));
    });
  }

  /** To be called inside a transaction. False when the pack is being deleted, or gone. */
  touchRow(packNo: number): boolean {
    return this.#run(`UPDATE packs SET touch_epoch = ${epochSql}, state = 0 WHERE no = ? AND state < 2`, packNo).changes > 0;
  }

  // Roots

  knowsRoot(tenant: string, backupId: string): boolean {
    return this.#get("SELECT 1 FROM roots WHERE tenant = ? AND backup = ?", tenant, backupId) !== undefined;
  }

  noteRoot(tenant: string, backupId: string): void {
    this.#run("INSERT OR IGNORE INTO roots (tenant, backup) VALUES (?, ?)", tenant, backupId);
  }

  forgetRoot(tenant: string, backupId: string): void {
    this.#run("DELETE FROM roots WHERE tenant = ? AND backup = ?", tenant, backupId);
  }

  // Time

  /**
   * The time by which grace is measured, microseconds: that of the clock, but it never goes back, and while the clock is behind it goes on as time
   * passes. So a clock that was set back and is put right again ends no grace early.
   */
  noteTime(clock: LedgerClock): number {
    const nowUs = clock.nowUs();
    const elapsedUs = clock.elapsedUs?.() ?? nowUs;
    const passedUs = this.#noted === undefined ? 0 : Math.max(0, elapsedUs - this.#noted.elapsedUs);
    return this.#transaction(() => {
      const latestUs = Number(this.#get("SELECT value FROM meta WHERE name = 'latestTime'")?.["value"] ?? 0);
      const timeUs = Math.max(nowUs, latestUs, (this.#noted?.timeUs ?? 0) + passedUs);
      if (timeUs > latestUs) this.#run("INSERT OR REPLACE INTO meta VALUES ('latestTime', ?)", String(timeUs));
      this.#noted = { timeUs, elapsedUs };
      return timeUs;
    });
  }

  // Collection

  /** One collection at a time: `collectRunning` while another one's lease holds. */
  takeCollector(token: Uint8Array, nowUs: number, leaseUntilUs: number): void {
    // Only before the clock was set back could a lease reach further: from now on it is an ordinary one.
    this.#run("UPDATE collector SET lease = ?1 WHERE lease > ?1", leaseUntilUs);
    const { changes } = this.#run(
      "INSERT INTO collector VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET token = excluded.token, lease = excluded.lease WHERE lease <= ?",
      token,
      leaseUntilUs,
      nowUs,
    );
    if (changes === 0) throw new RepositoryError("collectRunning", "another collection is running");
  }

  /** `collectRunning` when another collection has taken over. */
  renewCollector(token: Uint8Array, leaseUntilUs: number): void {
    if (this.#run("UPDATE collector SET lease = ? WHERE token = ?", leaseUntilUs, token).changes === 0) throw collectorLost();
  }

  releaseCollector(token: Uint8Array): void {
    this.#run("DELETE FROM collector WHERE token = ?", token);
  }

  requireCollector(token: Uint8Array): void {
    if (this.#get("SELECT 1 FROM collector WHERE token = ?", token) === undefined) throw collectorLost();
  }

  /**
   * The first thing that a mark does, before it looks at any root: closes sessions whose lease has passed, begins an epoch, takes the floor.
   * Sessions opened from now on are of the new epoch and thus above the floor; those that are open keep it at theirs or below.
   */
  beginMark(tenant: string, nowUs: number): MarkStart {
    return this.#transaction(() => {
      // As with a collector's lease: a session that died before the clock was set back does not hold for longer than any other.
      this.#run("UPDATE sessions SET lease = ?1 WHERE lease > ?1", nowUs + sessionLeaseUs);
      this.#run("DELETE FROM sessions WHERE lease <= ?", nowUs);
      this.#run("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'epoch'");
      const epoch = this.epoch;
      return {
        epoch,
        floor: this.currentFloor(),
        pins: this.#all("SELECT DISTINCT pin AS name FROM sessions WHERE tenant = ? AND pin IS NOT NULL", tenant).map((row) => String(row["name"])),
        roots: this.#all("SELECT backup AS name FROM roots WHERE tenant = ?", tenant).map((row) => String(row["name"])),
      };
    });
  }

  /** Lowest epoch of an open session; the current epoch when there is none. */
  currentFloor(): number {
    return Number(this.#get(`SELECT min(${epochSql}, ifnull((SELECT min(epoch) FROM sessions), ${epochSql})) AS floor`)?.["floor"]);
  }

  *packsOf(tenant: string): Generator<LedgerPack> {
    const rows = this.#database
      .prepare(
        `SELECT p.no, p.id, p.kind, p.size, p.records, p.state, p.touch_epoch, p.condemned_at, p.condemned_epoch, p.needed
         FROM packs p JOIN tenants t ON t.no = p.tenant WHERE t.name = ? ORDER BY p.no`,
      )
      .iterate(tenant);
    for (const row of rows)
      yield {
        no: Number(row["no"]),
        packId: row["id"] as Uint8Array,
        kind: row["kind"] === 1 ? "data" : "page",
        sizeBytes: Number(row["size"]),
        recordCount: Number(row["records"]),
        state: Number(row["state"]),
        touchEpoch: Number(row["touch_epoch"]),
        condemnedAtUs: Number(row["condemned_at"]),
        condemnedEpoch: Number(row["condemned_epoch"]),
        neededBytes: Number(row["needed"]) < 0 ? undefined : Number(row["needed"]),
      };
  }

  /** Whether the pack is on its way out for good: then its object may be gone already. */
  isDeleting(packId: Uint8Array): boolean {
    return this.#get("SELECT 1 FROM packs WHERE id = ? AND state = 2", packId) !== undefined;
  }

  /** Condemned packs that a mark found in use are live again. */
  revive(packNos: readonly number[]): void {
    this.#transaction(() => {
      for (const no of packNos) this.#run("UPDATE packs SET state = 0 WHERE no = ? AND state = 1", no);
    });
  }

  /** What the roots need of each pack: what the next mark is held against. `collectRunning` */
  noteNeeded(token: Uint8Array, needed: ReadonlyMap<number, number>): void {
    this.#transaction(() => {
      this.requireCollector(token);
      for (const [no, bytes] of needed) this.#run("UPDATE packs SET needed = ?1 WHERE no = ?2 AND needed <> ?1", bytes, no);
    });
  }

  /** Condemns those that nobody has touched since the floor. Tells which. `collectRunning` */
  condemn(token: Uint8Array, packNos: readonly number[], mark: { epoch: number; floor: number }, nowUs: number): Set<number> {
    return this.#transaction(() => {
      this.requireCollector(token);
      const sql = "UPDATE packs SET state = 1, condemned_at = ?, condemned_epoch = ? WHERE no = ? AND state = 0 AND touch_epoch < ?";
      return new Set(packNos.filter((no) => this.#run(sql, nowUs, mark.epoch, no, mark.floor).changes > 0));
    });
  }

  /**
   * From condemned to being deleted, for good: for packs that an earlier mark condemned before `condemnedBeforeUs`, that this later one did not
   * find in use either, and that nobody has touched. Tells which. `collectRunning`
   */
  beginDelete(token: Uint8Array, packNos: readonly number[], mark: { epoch: number; floor: number }, condemnedBeforeUs: number): Set<number> {
    return this.#transaction(() => {
      this.requireCollector(token);
      const sql = "UPDATE packs SET state = 2 WHERE no = ? AND state = 1 AND touch_epoch < ? AND condemned_epoch < ? AND condemned_at <= ?";
      return new Set(packNos.filter((no) => this.#run(sql, no, mark.floor, mark.epoch, condemnedBeforeUs).changes > 0));
    });
  }

  /** When an unreadable object of the store without a row was first seen; remembers it. */
  noteOrphan(key: string, nowUs: number): number {
    this.#run("INSERT OR IGNORE INTO orphans VALUES (?, ?)", key, nowUs);
    return Number(this.#get("SELECT seen FROM orphans WHERE key = ?", key)?.["seen"]);
  }

  forgetOrphan(key: string): void {
    this.#run("DELETE FROM orphans WHERE key = ?", key);
  }

  // Generation

  /** How often something has been deleted through this index, and the mark of the next time if that has begun. */
  generation(): { number: number; pending: string | undefined } {
    const value = (name: string): string | undefined => {
      const row = this.#get("SELECT value FROM meta WHERE name = ?", name);
      return row === undefined ? undefined : String(row["value"]);
    };
    return { number: Number(value("generation") ?? 0), pending: value("generationPending") };
  }

  /** `collectRunning` */
  setGenerationPending(token: Uint8Array, pending: string): void {
    this.#transaction(() => {
      this.requireCollector(token);
      this.#run("INSERT OR REPLACE INTO meta VALUES ('generationPending', ?)", pending);
    });
  }

  /** The generation that was pending has come true. Never goes back: whoever comes late changes nothing. */
  setGeneration(generation: number, pending: string): void {
    this.#transaction(() => {
      this.#run("UPDATE meta SET value = ?1 WHERE name = 'generation' AND CAST(value AS INTEGER) < CAST(?1 AS INTEGER)", String(generation));
      this.#run("DELETE FROM meta WHERE name = 'generationPending' AND value = ?", pending);
    });
  }

  /** Starts over after the file turned out not to be the newest: every pack counts as touched now, nothing is condemned, no session is open. */
  startOver(generation: number): void {
    this.#transaction(() => {
      this.#run("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'epoch'");
      this.#run(`UPDATE packs SET touch_epoch = ${epochSql}, state = 0, needed = -1 WHERE state < 2`);
      this.#run("DELETE FROM sessions");
      this.#run("DELETE FROM collector");
      this.#run("DELETE FROM orphans");
      this.#run("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", String(generation));
      this.#run("DELETE FROM meta WHERE name = 'generationPending'");
    });
  }

  #transaction<T>(work: () => T): T {
    return indexTransaction(this.#database, work);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): ReturnType<StatementSync["run"]> {
    return this.#statement(sql).run(...values);
  }

  #get(sql: string, ...values: (string | number | null | Uint8Array)[]): ReturnType<StatementSync["get"]> {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: (string | number | null | Uint8Array)[]): ReturnType<StatementSync["all"]> {
    return this.#statement(sql).all(...values);
  }
}

const sessionLost = ({ backupId, token }: SessionRow): RepositoryError =>
  new RepositoryError("sessionLost", `the session ${hexOf(token)} of backup ${backupId} has passed its lease and was closed`);
const collectorLost = (): RepositoryError => new RepositoryError("collectRunning", "another collection has taken over");
