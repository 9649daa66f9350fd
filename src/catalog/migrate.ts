import { CatalogError } from "./errors.ts";
import { migrations } from "./migrations/index.ts";
import type { DdlWords, Migration } from "./migrations/migration.ts";

/** What a migration run needs of a database. `run` is within one transaction that is rolled back when it throws. */
export interface MigrationTarget {
  /** Shown in errors. */
  name: string;
  words: DdlWords;
  tableNames(): string[];
  execute(sql: string): void;
  readVersion(): number;
  /** After the last step of a run that had any, in its transaction. */
  migrated(): void;
  transaction(work: () => void): void;
}

/** Brings the schema up to the newest version. @throws CatalogError `newerSchema`, or `notADatabase` for a database of something else. */
export function migrate(target: MigrationTarget, steps: readonly Migration[] = migrations): void {
  target.transaction(() => {
    const tables = target.tableNames();
    if (!tables.includes("schema_version")) {
      if (tables.length > 0) throw new CatalogError("notADatabase", `${target.name} is a database of something else: it has no table schema_version`);
      target.execute(`create table schema_version (version ${target.words.int} not null)${target.words.tableEnd}`);
      target.execute("insert into schema_version (version) values (0)");
    }
    const newest = steps.at(-1)?.version ?? 0;
    const version = target.readVersion();
    if (version > newest) {
      throw new CatalogError(
        "newerSchema",
        `the catalog ${target.name} has schema ${version}; this program knows up to ${newest}: start a newer program`,
      );
    }
    const ahead = steps.filter((candidate) => candidate.version > version);
    for (const step of ahead) {
      for (const statement of step.statements(target.words)) target.execute(statement);
      target.execute(`update schema_version set version = ${step.version}`);
    }
    if (ahead.length > 0) target.migrated();
  });
}
