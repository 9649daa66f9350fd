import type { MigrationTarget } from "../migrate.ts";
import type { SqliteConnection } from "./connection.ts";
import { sealRowSums } from "./row-sums.ts";

/** A SQLite connection as a target of migrations. Tables are strict: a value of another type is refused. */
export function sqliteMigrationTarget(connection: SqliteConnection): MigrationTarget {
  return {
    name: connection.path,
    words: { int: "integer", bytes: "blob", sequence: "integer primary key autoincrement", tableEnd: " strict" },
    tableNames: () =>
      connection
        .all("select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'", [])
        .map((row) => String(row.name)),
    execute: (sql) => connection.execute(sql),
    readVersion: () => Number(connection.all("select max(version) as version from schema_version", [])[0]?.version),
    migrated: () => sealRowSums(connection),
    transaction(work) {
      connection.execute("begin immediate");
      try {
        work();
        connection.execute("commit");
      } catch (error) {
        if (connection.inTransaction) connection.execute("rollback");
        throw error;
      }
    },
  };
}
