import { hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { CatalogError } from "../errors.ts";
import { rowSums } from "../migrations/0006-row-sums.ts";
import { migrations } from "../migrations/index.ts";
import type { SqliteConnection } from "./connection.ts";

/*
 * SQLite notices damage of its structure, not of what lies in a row. So each table has a sum of the hashes of its rows, kept by triggers that live
 * only in the connection that writes. The sum of a row as it is found is taken off and that of the row as it becomes is added: a row that was
 * damaged before it was changed leaves the sum wrong for ever, so that nothing written later hides it.
 */

/** Sums are whole numbers below 2^48. */
const mask = 2 ** 48 - 1;
const schemaName = "sqlite_schema";

/** Tells a connection's SQL of `row_hash(…)`: 48 bits that depend on every value, its type and its place. */
export function defineRowHash(database: DatabaseSync): void {
  database.function("row_hash", { deterministic: true, varargs: true }, (...values: readonly unknown[]) =>
    hash("sha256", JSON.stringify(values), "buffer").readUIntBE(0, 6),
  );
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Every table but SQLite's own and that of the sums. */
const tablesOf = (connection: SqliteConnection): string[] =>
  connection
    .all("select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name <> 'row_sums' order by name", [])
    .map(({ name }) => String(name));

const columnsOf = (connection: SqliteConnection, table: string): string[] =>
  connection.all("select name from pragma_table_info(?) order by cid", [table]).map(({ name }) => String(name));

const sumOf = (hashes: Iterable<unknown>): number => {
  let total = 0;
  for (const each of hashes) total = (total + Number(each)) % (mask + 1);
  return total;
};

/** The sum of each table, and of the schema itself, as the file says it now. */
function sumsNow(connection: SqliteConnection): Map<string, number> {
  const sums = new Map<string, number>();
  for (const table of tablesOf(connection)) {
    const columns = columnsOf(connection, table).map(quoted).join(", ");
    sums.set(table, sumOf(connection.each(`select row_hash(${columns}) as h from ${quoted(table)}`, "h")));
  }
  const schema = "select row_hash(type, name, tbl_name, sql) as h from sqlite_schema where name not like 'sqlite\\_stat%' escape '\\'";
  sums.set(schemaName, sumOf(connection.each(schema, "h")));
  return sums;
}

/** Takes every table as it is now for right. Within a transaction, after the schema was changed. */
export function sealRowSums(connection: SqliteConnection): void {
  if (connection.all("select 1 from sqlite_schema where name = 'row_sums'", []).length === 0) return;
  connection.execute("delete from row_sums");
  for (const [name, total] of sumsNow(connection)) connection.all("insert into row_sums (name, total) values (?, ?)", [name, total]);
}

/** Has every later write of this connection keep the sums. Ones that somebody has emptied by hand are made anew. */
export function followRowSums(connection: SqliteConnection): void {
  if (connection.all("select 1 from row_sums limit 1", []).length === 0) sealRowSums(connection);
  for (const table of tablesOf(connection)) {
    const columns = columnsOf(connection, table).map(quoted);
    const hashed = (row: "old" | "new"): string => `cast(row_hash(${columns.map((column) => `${row}.${column}`).join(", ")}) as integer)`;
    const follow = (event: string, change: string): void =>
      connection.execute(
        `create temp trigger ${quoted(`${table} ${event}`)} after ${event} on main.${quoted(table)}
         begin update row_sums set total = (total ${change}) & ${mask} where name = '${table}'; end`,
      );
    follow("insert", `+ ${hashed("new")}`);
    follow("update", `+ ${hashed("new")} - ${hashed("old")}`);
    follow("delete", `- ${hashed("old")}`);
  }
}

/** Structural problems that are named; one is enough to know. */
const namedProblems = 5;

/**
 * What is wrong with the file, in sentences for its operator; empty when it says exactly what was written. Reads all of it. A database that is no
 * catalog has nothing that this could judge.
 * @throws CatalogError when it could not be read: locked, no database, a disk that fails
 */
export function findDamage(connection: SqliteConnection): string[] {
  try {
    const told = connection.all(`pragma integrity_check(${namedProblems})`, []).map((row) => String(row["integrity_check"]));
    if (told.length !== 1 || told[0] !== "ok") return told;
    if (connection.all("select 1 from sqlite_schema where name = 'schema_version'", []).length === 0) return [];
    const dangling = connection
      .all("pragma foreign_key_check", [])
      .map(({ table, parent }) => `a row of ${String(table)} refers to none of ${String(parent)}`);
    return [...new Set(dangling)].concat(wrongSums(connection));
  } catch (error) {
    if (error instanceof CatalogError && error.code !== "corrupt") throw error;
    return [(error as Error).message];
  }
}

function wrongSums(connection: SqliteConnection): string[] {
  const version = Number(connection.all("select max(version) as version from schema_version", [])[0]?.["version"]);
  // A newer program's, which is refused as that: it may sum in another way.
  if (version > migrations.at(-1)!.version) return [];
  if (connection.all("select 1 from sqlite_schema where name = 'row_sums'", []).length === 0)
    return version >= rowSums.version ? ["the table row_sums is not there"] : [];
  const kept = new Map(connection.all("select name, total from row_sums", []).map(({ name, total }) => [String(name), Number(total)]));
  if (kept.size === 0) return [];
  const now = sumsNow(connection);
  const names = new Set([...kept.keys(), ...now.keys()]);
  return [...names].filter((name) => kept.get(name) !== now.get(name)).map((name) => `rows of ${name} are not what was written`);
}
