import type { Migration } from "./migration.ts";

/** Backups of which something was changed that their sealed documents tell: a rebuild learns it from the project's state. */
export const amendedBackups: Migration = {
  version: 8,
  statements: ({ tableEnd }) => [
    `create table amended_backups (
      backup_id text primary key references backups (id) on delete cascade, project_id text not null)${tableEnd}`,
    `create index amended_backups_project on amended_backups (project_id, backup_id)`,
  ],
};
