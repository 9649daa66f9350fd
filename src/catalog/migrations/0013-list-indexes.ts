import type { Migration } from "./migration.ts";

/** Backups by name, newest first. */
export const listIndexes: Migration = {
  version: 13,
  statements: () => [`create index backups_name on backups (name, created_at, id)`],
};
