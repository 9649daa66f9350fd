import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Tables that a call may write to although it was refused: the log of calls, and what follows every write. */
const beside = new Set(["audit", "row_sums"]);

/** Every row of every table of a catalog file, as `table {…}`, sorted. */
export function dumpCatalog(folder: string): string[] {
  const database = new DatabaseSync(join(folder, "catalog.sqlite"), { readOnly: true });
  try {
    const tables = database.prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite%'").all();
    const names = tables.map((row) => String(row["name"])).filter((name) => !beside.has(name));
    return names
      .flatMap((name) =>
        database
          .prepare(`select * from "${name}"`)
          .all()
          .map((row) => `${name} ${JSON.stringify(row)}`),
      )
      .sort();
  } finally {
    database.close();
  }
}
