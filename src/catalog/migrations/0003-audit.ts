import type { Migration } from "./migration.ts";

/** The audit log. It refers to nothing: what it tells of may be gone, or may never have been. */
export const auditLog: Migration = {
  version: 3,
  statements: ({ int, tableEnd }) => [
    `create table audit (
      id text primary key, project_id text not null, target_project_id text, user_id text not null, user_name text not null,
      domain_id text not null, credential text not null, credential_id text, dialect text not null, operation text not null,
      action text not null, event text, resource_type text, resource_id text, resource_name text, request_id text not null,
      address text not null, status ${int}, error_code text, times ${int} not null, created_at ${int} not null, ended_at ${int})${tableEnd}`,
    `create index audit_newest on audit (project_id, created_at, id)`,
    `create index audit_all_newest on audit (created_at, id)`,
  ],
};
