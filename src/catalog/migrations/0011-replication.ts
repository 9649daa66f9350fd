import type { Migration } from "./migration.ts";

/** No references: the other end of a copying may be another service's, and a record outlives what it tells of. */
export const replication: Migration = {
  version: 11,
  statements: ({ int, tableEnd }) => [
    `create table replication_records (
      id text primary key, status text not null, source_region text not null, source_project_id text not null, source_vault_id text not null,
      source_backup_id text not null, source_backup_name text, source_checkpoint_id text not null, destination_region text not null,
      destination_project_id text not null, destination_vault_id text not null, destination_backup_id text, destination_checkpoint_id text,
      progress ${int} not null, fail_code text not null, fail_reason text not null, auto_trigger ${int} not null, created_at ${int} not null,
      updated_at ${int} not null)${tableEnd}`,
    `create index replication_records_source on replication_records (source_backup_id)`,
    `create index replication_records_destination on replication_records (destination_backup_id)`,
    `create index replication_records_source_vault on replication_records (source_vault_id, status)`,
    `create index replication_records_destination_vault on replication_records (destination_vault_id, status)`,
    `create index replication_records_source_project on replication_records (source_project_id)`,
    `create index replication_records_destination_project on replication_records (destination_project_id)`,
  ],
};
