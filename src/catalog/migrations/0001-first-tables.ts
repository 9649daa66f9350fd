import type { Migration } from "./migration.ts";

/**
 * References are checked at commit, so that the order of a transaction's statements is free. There is none to `projects` or `users` outside
 * of identity (another Keystone may keep those), and none to a resource or a base backup: what was backed up may be gone.
 */
export const firstTables: Migration = {
  version: 1,
  statements: ({ int, bytes, sequence, tableEnd }) => [
    `create table meta (key text primary key, value text not null)${tableEnd}`,
    `create table domains (id text primary key, name text not null unique)${tableEnd}`,
    `create table projects (
      id text primary key, domain_id text not null references domains (id), name text not null, description text not null, enabled ${int} not null,
      unique (domain_id, name))${tableEnd}`,
    `create table users (
      id text primary key, domain_id text not null references domains (id), name text not null, password_hash text not null,
      enabled ${int} not null, default_project_id text references projects (id), unique (domain_id, name))${tableEnd}`,
    `create table roles (
      user_id text not null references users (id), project_id text not null references projects (id), role text not null,
      primary key (user_id, project_id, role))${tableEnd}`,
    `create table access_keys (
      id text primary key, user_id text not null references users (id), project_id text not null references projects (id),
      sealed_secret ${bytes} not null, enabled ${int} not null, expires_at ${int}, security_token_hash ${bytes})${tableEnd}`,
    `create table revoked_tokens (token_id text primary key, expires_at ${int} not null)${tableEnd}`,
    `create index revoked_tokens_expiry on revoked_tokens (expires_at)`,

    `create table resources (
      id text primary key, project_id text not null, user_id text not null, type text not null, name text not null, description text,
      size_gib ${int} not null, availability_zone text not null, status text not null, created_at ${int} not null, updated_at ${int},
      locator text, volume_type text, bootable ${int}, encryption text, metadata text,
      source_snapshot_id text, source_volume_id text, source_backup_id text, architecture text)${tableEnd}`,
    `create index resources_newest on resources (project_id, created_at, id)`,
    `create index resources_newest_of_type on resources (project_id, type, created_at, id)`,
    `create index resources_all_newest on resources (created_at, id)`,
    `create table server_disks (
      server_id text not null references resources (id) on delete cascade, position ${int} not null, volume_id text not null,
      system_disk ${int} not null, primary key (server_id, position), unique (server_id, volume_id))${tableEnd}`,
    `create index server_disks_volume on server_disks (volume_id)`,

    `create table snapshots (
      id text primary key, project_id text not null, user_id text not null, volume_id text not null, name text, description text,
      status text not null, size_gib ${int} not null, metadata text not null, locator text not null, method text not null,
      created_at ${int} not null, updated_at ${int})${tableEnd}`,
    `create index snapshots_newest on snapshots (project_id, created_at, id)`,
    `create index snapshots_volume on snapshots (volume_id)`,

    `create table vaults (
      id text primary key, project_id text not null, user_id text not null, name text not null, description text,
      enterprise_project_id text not null, object_type text not null, protect_type text not null, consistent_level text not null,
      cloud_type text not null, charging_mode text not null, is_multi_az ${int} not null, size_gib ${int} not null, status text not null,
      auto_bind ${int} not null, auto_expand ${int} not null, smn_notify ${int} not null, threshold ${int} not null, locked ${int} not null,
      bind_rules text not null, tags text not null, availability_zone text, backup_name_prefix text, implicit ${int} not null,
      created_at ${int} not null, updated_at ${int})${tableEnd}`,
    `create index vaults_newest on vaults (project_id, created_at, id)`,
    `create unique index vaults_implicit on vaults (project_id, object_type) where implicit = 1`,
    `create table vault_resources (
      seq ${sequence}, vault_id text not null references vaults (id) on delete cascade, resource_id text not null unique, type text not null,
      exclude_volumes text not null)${tableEnd}`,
    `create index vault_resources_vault on vault_resources (vault_id, seq)`,

    `create table checkpoints (
      id text primary key, project_id text not null, vault_id text not null references vaults (id) deferrable initially deferred,
      name text not null, description text, retention_days ${int}, skipped text not null, created_at ${int} not null)${tableEnd}`,
    `create index checkpoints_vault on checkpoints (vault_id)`,

    `create table backups (
      seq ${sequence}, id text not null unique, project_id text not null, user_id text not null, name text, description text,
      status text not null, image_type text not null,
      vault_id text not null references vaults (id) deferrable initially deferred,
      checkpoint_id text not null references checkpoints (id) deferrable initially deferred,
      parent_id text references backups (id) deferrable initially deferred,
      base_id text, chain_id text not null, resource_id text not null, resource_name text not null, resource_type text not null,
      resource_size_gib ${int} not null, resource_az text, store_zone text not null, node_id text not null, task_id text,
      auto_trigger ${int} not null, incremental_requested ${int} not null, incremental ${int} not null,
      bootable ${int}, system_disk ${int}, contain_system_disk ${int}, encryption text, encrypted ${int}, architecture text, volume_type text,
      volume_metadata text not null, snapshot_id text, metadata text not null, progress ${int}, fail_reason text, statistics text, root_key text,
      created_at ${int} not null, updated_at ${int}, protected_at ${int}, expired_at ${int}, via_cloudbackups ${int} not null,
      stored_bytes ${int} not null)${tableEnd}`,
    `create index backups_newest on backups (project_id, created_at, id)`,
    `create index backups_all_newest on backups (created_at, id)`,
    `create index backups_newest_of_vault on backups (vault_id, created_at, id)`,
    `create index backups_usage on backups (vault_id, resource_type, stored_bytes)`,
    `create index backups_checkpoint on backups (checkpoint_id)`,
    `create index backups_parent on backups (parent_id, seq)`,
    `create index backups_resource on backups (resource_id, status, protected_at)`,
    `create index backups_base on backups (base_id, status)`,
    `create index backups_chain on backups (chain_id, stored_bytes)`,
    `create index backups_expiry on backups (status, expired_at)`,

    `create table tasks (
      seq ${sequence}, id text not null unique, project_id text not null, type text not null, status text not null, vault_id text, vault_name text,
      checkpoint_id text, policy_id text, provider_id text, backup_id text, backup_name text, resource_id text, resource_name text,
      resource_type text, input text not null, result text not null, progress text not null, request_id text, error_code text not null,
      error_message text not null, cancel_requested ${int} not null, fencing_token ${int} not null, lease_owner text, lease_expires_at ${int},
      created_at ${int} not null, started_at ${int}, updated_at ${int} not null, ended_at ${int})${tableEnd}`,
    `create index tasks_newest on tasks (project_id, created_at, id)`,
    `create index tasks_all_newest on tasks (created_at, id)`,
    `create index tasks_queue on tasks (status, project_id, created_at, seq)`,
    `create index tasks_lease on tasks (status, lease_expires_at)`,
    `create index tasks_vault on tasks (vault_id, created_at, id)`,
    `create index tasks_resource on tasks (resource_id, status)`,
    `create index tasks_backup on tasks (backup_id, status)`,
  ],
};
