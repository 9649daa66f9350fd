import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import type { CompiledQuery, DatabaseConnection, QueryResult } from "kysely";
import { CatalogError } from "../errors.ts";
import { explainSqliteError } from "./explain.ts";
import { defineRowHash } from "./row-sums.ts";

interface Prepared {
  statement: StatementSync;
  returnsRows: boolean;
}

export type SqlRow = Record<string, unknown>;

/** Texts of statements differ only by filter, sort and page length, so this many is plenty. */
const maxPrepared = 400;

/** One `node:sqlite` connection that prepares each SQL text once. Every call is synchronous inside. */
export class SqliteConnection implements DatabaseConnection {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  /** Opens or creates the file, `:memory:` for none. Durable: WAL and `synchronous=FULL`; foreign keys are enforced. @throws CatalogError */
  constructor(path: string, options: { readOnly: boolean; busyTimeoutMs: number }) {
    this.path = path;
    try {
      this.#database = new DatabaseSync(path, { readOnly: options.readOnly, timeout: options.busyTimeoutMs, enableForeignKeyConstraints: true });
    } catch (error) {
      throw explainSqliteError(error, path);
    }
    try {
      if (!options.readOnly) this.execute("pragma journal_mode = wal");
      this.execute("pragma synchronous = full");
      this.execute("pragma cache_size = -65536");
      this.execute("pragma temp_store = memory");
      defineRowHash(this.#database);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Runs SQL that is not worth preparing. */
  execute(sql: string): void {
    this.#guard(() => this.#database.exec(sql));
  }

  /** All rows of a query. Prepared at the first call with this text. */
  all(sql: string, parameters: readonly unknown[]): SqlRow[] {
    try {
      return this.#prepare(sql).statement.all(...(parameters as SQLInputValue[]));
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** One column of a query's rows, one at a time. Not prepared for another call. */
  *each(sql: string, column: string): IterableIterator<unknown> {
    try {
      for (const row of this.#database.prepare(sql).iterate()) yield row[column];
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** A number that is another one after each commit of any other connection, of this process or not (SQLite, "PRAGMA data_version"). */
  dataVersion(): number {
    return this.all("pragma data_version", [])[0]!.data_version as number;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#guard(() => {
      const { statement, returnsRows } = this.#prepare(query.sql);
      const parameters = query.parameters as SQLInputValue[];
      if (returnsRows) return { rows: statement.all(...parameters) as R[] };
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    });
  }

  /** In one piece: a page of a list is all that is ever asked for. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  close(): void {
    this.#prepared.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    if (this.#prepared.size >= maxPrepared) this.#prepared.delete(this.#prepared.keys().next().value!);
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): unknown {
    if (!this.#database.isOpen) return new CatalogError("closed", `the catalog ${this.path} is closed`, error);
    return explainSqliteError(error, this.path);
  }
}
