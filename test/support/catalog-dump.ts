import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** Tables that a call may write to although it was refused: the log of calls, and what follows every write. */
const beside = new Set(["audit", "row_sums"]);

const openToRead = (folder: string): DatabaseSync => new DatabaseSync(join(folder, "catalog.sqlite"), { readOnly: true });

/** Every row of every table of a catalog file, as `table {…}`, sorted. */
export function dumpCatalog(folder: string): string[] {
  const database = openToRead(folder);
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

/** The sums that a catalog file keeps of the rows of its tables: as good as a dump to see whether anything has changed, and much quicker. */
export class CatalogSums {
  readonly #database: DatabaseSync;
  readonly #select: StatementSync;

  constructor(folder: string) {
    this.#database = openToRead(folder);
    this.#select = this.#database.prepare("select name, total from row_sums where name <> 'audit' order by name");
  }

  now(): string {
    return JSON.stringify(this.#select.all());
  }

  close(): void {
    this.#database.close();
  }
}
