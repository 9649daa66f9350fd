import type { Migration } from "./migration.ts";

/** A vault tells of each of its resources how many backups it has and how the newest one ended: without a look at all others. */
export const backupsOfResourceInVault: Migration = {
  version: 14,
  statements: () => [`create index backups_of_resource_in_vault on backups (resource_id, vault_id, parent_id, created_at, id)`],
};
