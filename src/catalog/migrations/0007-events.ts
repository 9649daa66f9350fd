import type { Migration } from "./migration.ts";

/** What happened, where it is to be told, and how far each telling has come. */
export const events: Migration = {
  version: 7,
  statements: ({ int, bytes, tableEnd }) => [
    `create table webhooks (
      id text primary key, project_id text not null, user_id text not null, url text not null, events text not null, description text,
      sealed_secret ${bytes} not null, enabled ${int} not null, created_at ${int} not null, updated_at ${int})${tableEnd}`,
    `create index webhooks_newest on webhooks (project_id, created_at, id)`,
    `create table events (
      id text primary key, project_id text not null, type text not null, data text not null, created_at ${int} not null)${tableEnd}`,
    `create index events_newest on events (project_id, created_at, id)`,
    `create index events_all_newest on events (created_at, id)`,
    `create table deliveries (
      id text primary key, project_id text not null, event_id text not null references events (id) on delete cascade,
      webhook_id text not null references webhooks (id) on delete cascade, status text not null, attempts ${int} not null,
      next_attempt_at ${int} not null, last_status ${int}, last_error text, created_at ${int} not null, ended_at ${int})${tableEnd}`,
    `create index deliveries_newest on deliveries (project_id, created_at, id)`,
    `create index deliveries_due on deliveries (status, next_attempt_at)`,
    `create index deliveries_event on deliveries (event_id)`,
    `create index deliveries_webhook on deliveries (webhook_id)`,
  ],
};
