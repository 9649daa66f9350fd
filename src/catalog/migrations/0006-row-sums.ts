import type { Migration } from "./migration.ts";

/** For each table the sum of the hashes of its rows: a row that is not what was written shows, whatever the database's own structure says. */
export const rowSums: Migration = {
  version: 6,
  statements: ({ int, tableEnd }) => [`create table row_sums (name text primary key, total ${int} not null)${tableEnd}`],
};
