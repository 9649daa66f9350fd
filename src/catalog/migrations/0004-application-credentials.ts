import type { Migration } from "./migration.ts";

export const applicationCredentials: Migration = {
  version: 4,
  statements: ({ int, tableEnd }) => [
    `create table application_credentials (
      id text primary key, user_id text not null references users (id), project_id text not null references projects (id), name text not null,
      description text not null, roles text not null, secret_hash text not null, expires_at ${int}, created_at ${int} not null,
      unique (user_id, name))${tableEnd}`,
    `create index application_credentials_project on application_credentials (project_id)`,
    `create index access_keys_user on access_keys (user_id)`,
  ],
};
