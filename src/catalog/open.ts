import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { Kysely } from "kysely";
import type { Transaction } from "kysely";
import { systemClock } from "#platform/clock.ts";
import type { Clock } from "#platform/clock.ts";
import { createAuditTable } from "./audit.ts";
import { createBackupTable } from "./backups.ts";
import { createCheckpointTable } from "./checkpoints.ts";
import { CatalogError } from "./errors.ts";
import { createEventTable } from "./events.ts";
import { createIdentityTable } from "./identity.ts";
import { createMemberTable } from "./members.ts";
import { createMetaTable } from "./meta.ts";
import { migrate } from "./migrate.ts";
import { createOrganizationPolicyTable } from "./organization-policies.ts";
import { createPolicyTable } from "./policies.ts";
import { createReplicationTable } from "./replications.ts";
import { createResourceTable } from "./resources.ts";
import type { Db, Schema } from "./schema.ts";
import { createSnapshotTable } from "./snapshots.ts";
import { SqliteConnection } from "./sqlite/connection.ts";
import { nodeSqliteDialect } from "./sqlite/dialect.ts";
import { sqliteMigrationTarget } from "./sqlite/migration-target.ts";
import { Mutex } from "./sqlite/mutex.ts";
import { findDamage, followRowSums } from "./sqlite/row-sums.ts";
import type { Catalog, IdentityTable, Tables } from "./tables.ts";
import { createTaskTable } from "./tasks.ts";
import { createVaultTable } from "./vaults.ts";

export interface CatalogOptions {
  /** The SQLite file, made if there is none; its folder must exist. `:memory:` for a catalog that is gone when closed. */
  path: string;
  /** Tells when a revoked token's row may go. */
  clock?: Clock;
  /** How long a statement waits for another process's lock. */
  busyTimeoutMs?: number;
}

const inMemory = ":memory:";

/**
 * Opens the catalog and brings its schema up to date. A file that is there already is read once from end to end: one that does not say exactly what
 * was written (`corrupt`) is not opened, and left as it is.
 *
 * A file has two connections: all writes and every transaction take turns on one; reads outside of transactions use the other and wait for
 * nobody. They see what was committed before they began. What a database other than SQLite must do its own way is in `sqlite/`, in the words
 * of {@link sqliteMigrationTarget} and in `Db.hot` (placeholders are `?`); the table modules keep to SQL that PostgreSQL understands too.
 *
 * @throws CatalogError
 */
export async function openCatalog(options: CatalogOptions): Promise<Catalog> {
  const { path, clock = systemClock, busyTimeoutMs = 5000 } = options;
  const found = path === inMemory ? undefined : statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() === true && found.size > 0) refuseDamaged(path, busyTimeoutMs);
  const writing = new SqliteConnection(path, { readOnly: false, busyTimeoutMs });
  let reading = writing;
  try {
    migrate(sqliteMigrationTarget(writing));
    followRowSums(writing);
    if (path !== inMemory) reading = new SqliteConnection(path, { readOnly: true, busyTimeoutMs });
  } catch (error) {
    writing.close();
    throw error;
  }
  const mutex = new Mutex();
  const write = new Kysely<Schema>({ dialect: nodeSqliteDialect(writing, mutex) });
  const read = reading === writing ? write : new Kysely<Schema>({ dialect: nodeSqliteDialect(reading, undefined) });

  const within = (transaction: Transaction<Schema>): Db => {
    const db: Db = {
      read: transaction,
      write: transaction,
      hot: (sql, parameters) => writing.all(sql, parameters),
      atomically: (work) => work(db),
    };
    return db;
  };
  const atomically = <T>(work: (db: Db) => Promise<T>): Promise<T> =>
    write.transaction().execute((transaction) => mutex.scoped(() => work(within(transaction))));
  const waitThenRead = async (sql: string, parameters: readonly unknown[]): Promise<Record<string, unknown>[]> => {
    await mutex.acquire();
    try {
      return reading.all(sql, parameters);
    } finally {
      mutex.release();
    }
  };
  const outside: Db = {
    read,
    write,
    hot: (sql, parameters) => (reading === writing && mutex.held ? waitThenRead(sql, parameters) : reading.all(sql, parameters)),
    atomically,
    ...(reading === writing ? {} : { version: () => reading.dataVersion() }),
  };
  let identityVersion = 0;
  const changed = (): void => void (identityVersion += 1);
  const tables = createTables(outside, clock);
  return {
    ...tables,
    identity: watched(tables.identity, changed),
    transaction: (work) => atomically((db) => work(createTables(db, clock))).finally(changed),
    damage: async () => (path === inMemory ? findDamage(writing) : await damageOf(path)),
    identityVersion: () => identityVersion,
    changes: () => writing.all("select total_changes() as n", [])[0]!["n"] as number,
    async close() {
      await mutex.acquire();
      try {
        reading.close();
        // Last, because only a connection that may write can move the log into the file.
        writing.close();
      } finally {
        mutex.release();
      }
    },
  };
}

/** The same table; `changed` is called whenever something in it may have become another. */
function watched(identity: IdentityTable, changed: () => void): IdentityTable {
  type Method = (...given: unknown[]) => Promise<unknown>;
  const methods = Object.entries(identity as unknown as Record<string, Method>).map(([name, method]): [string, Method] => [
    name,
    /^(get|find|list)/.test(name) ? method : (...given) => method(...given).finally(changed),
  ]);
  return Object.fromEntries(methods) as unknown as IdentityTable;
}

function refuseDamaged(path: string, busyTimeoutMs: number): void {
  const [first, ...more] = lookThrough(path, busyTimeoutMs);
  if (first === undefined) return;
  throw new CatalogError("corrupt", `the catalog ${path} is damaged: ${[first, ...more].join("; ").replaceAll(/\s+/g, " ")}`);
}

function lookThrough(path: string, busyTimeoutMs: number): string[] {
  let connection: SqliteConnection | undefined;
  try {
    connection = new SqliteConnection(path, { readOnly: true, busyTimeoutMs });
    return findDamage(connection);
  } catch (error) {
    // What is no error that we know is SQLite's word on a file that it cannot make sense of.
    if (error instanceof CatalogError) throw error;
    return [(error as Error).message];
  } finally {
    connection?.close();
  }
}

/** {@link findDamage} in a thread of its own. */
function damageOf(path: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./sqlite/damage-thread.ts", import.meta.url), { workerData: path, execArgv: [], name: "catalog check" });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new CatalogError("ioFailed", `the catalog ${path} could not be read through`)));
  });
}

function createTables(db: Db, clock: Clock): Tables {
  return {
    meta: createMetaTable(db),
    identity: createIdentityTable(db, clock),
    resources: createResourceTable(db),
    snapshots: createSnapshotTable(db),
    vaults: createVaultTable(db),
    checkpoints: createCheckpointTable(db),
    backups: createBackupTable(db),
    members: createMemberTable(db),
    tasks: createTaskTable(db),
    audit: createAuditTable(db),
    policies: createPolicyTable(db),
    organizationPolicies: createOrganizationPolicyTable(db),
    events: createEventTable(db),
    replications: createReplicationTable(db),
  };
}
