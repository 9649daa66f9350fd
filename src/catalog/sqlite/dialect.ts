import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import type { Dialect, Driver, TransactionSettings } from "kysely";
import type { SqliteConnection } from "./connection.ts";
import type { Mutex } from "./mutex.ts";

/** Our lock stands in for Kysely's own, which it would put around every connection of a dialect that says it has only one. */
class NodeSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Kysely on one `node:sqlite` connection. With a mutex, whoever has the connection has it alone until it is released, so that a
 * transaction that awaits is never interleaved with another's statements; without one (a connection that only reads) nobody waits.
 */
export function nodeSqliteDialect(connection: SqliteConnection, mutex: Mutex | undefined): Dialect {
  return {
    createAdapter: () => new NodeSqliteAdapter(),
    createDriver: () => new NodeSqliteDriver(connection, mutex),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class NodeSqliteDriver implements Driver {
  readonly #connection: SqliteConnection;
  readonly #mutex: Mutex | undefined;

  constructor(connection: SqliteConnection, mutex: Mutex | undefined) {
    this.#connection = connection;
    this.#mutex = mutex;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    await this.#mutex?.acquire();
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#mutex?.release();
  }

  async beginTransaction(connection: SqliteConnection, _settings: TransactionSettings): Promise<void> {
    connection.execute("begin immediate");
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    connection.execute("commit");
  }

  /** SQLite itself rolls back on some errors, such as a full disk: then there is nothing left to do. */
  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    if (connection.inTransaction) connection.execute("rollback");
  }

  async destroy(): Promise<void> {
    this.#connection.close();
  }
}
