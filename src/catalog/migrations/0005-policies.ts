import type { Migration } from "./migration.ts";

/** Policies, where they are applied and when they are due; and of each resource how long ago its last full backup in a vault was. */
export const policies: Migration = {
  version: 5,
  statements: ({ int, tableEnd }) => [
    `create table organization_policies (
      id text primary key, domain_id text not null, name text not null, description text, scope text, operation_type text not null,
      policy_name text not null, policy_enabled ${int} not null, definition text not null, schedule text not null, user_id text not null,
      created_at ${int} not null, updated_at ${int})${tableEnd}`,
    `create index organization_policies_newest on organization_policies (domain_id, created_at, id)`,
    `create table policies (
      id text primary key, project_id text not null, user_id text not null, name text not null, enabled ${int} not null,
      operation_type text not null, definition text not null, schedule text not null, trigger_id text not null, policy_type text not null,
      organization_policy_id text, created_at ${int} not null, updated_at ${int})${tableEnd}`,
    `create index policies_newest on policies (project_id, created_at, id)`,
    `create unique index policies_organization on policies (organization_policy_id, project_id)`,
    `create table vault_policies (
      vault_id text not null references vaults (id) on delete cascade, policy_id text not null references policies (id) on delete cascade,
      operation_type text not null, destination_vault_id text, next_due_at ${int}, expiry_due ${int} not null,
      primary key (vault_id, operation_type))${tableEnd}`,
    `create index vault_policies_policy on vault_policies (policy_id)`,
    `create index vault_policies_due on vault_policies (next_due_at)`,
    `create index vault_policies_expiry on vault_policies (vault_id) where expiry_due = 1`,
    `create table full_backups (
      vault_id text not null references vaults (id) on delete cascade, resource_id text not null, full_at ${int} not null,
      incrementals ${int} not null, primary key (vault_id, resource_id))${tableEnd}`,
  ],
};
