import type { Migration } from "./migration.ts";

/** Lists of a large project: top-level backups newest first, counted without reading a row; and backups by name. */
export const listIndexes: Migration = {
  version: 13,
  statements: () => [
    `create index backups_top_newest on backups (project_id, parent_id, created_at, id)`,
    `create index backups_name on backups (project_id, name)`,
  ],
};
