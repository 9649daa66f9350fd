import type { Migration } from "./migration.ts";

/** A share goes with its backup. None of its references is to the receiver's vault: that may come back later in a rebuild. */
export const members: Migration = {
  version: 10,
  statements: ({ int, tableEnd }) => [
    `create table members (
      id text primary key, backup_id text not null references backups (id) on delete cascade, project_id text not null, dest_project_id text not null,
      status text not null, vault_id text, size_bytes ${int} not null, created_at ${int} not null, updated_at ${int},
      unique (backup_id, dest_project_id))${tableEnd}`,
    `create index members_receiver on members (dest_project_id, status, backup_id)`,
    `create index members_owner on members (project_id, backup_id)`,
    `create index members_vault on members (vault_id, size_bytes)`,
  ],
};
