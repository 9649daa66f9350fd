import type { ColumnType, Generated, Kysely, Selectable } from "kysely";
import type { AuditEntry } from "#model/audit.ts";
import type { Backup } from "#model/backup.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import type { OrganizationPolicy, Policy, VaultPolicy } from "#model/policy.ts";
import type { Delivery, ProjectEvent, Webhook } from "#model/event.ts";
import type { Member } from "#model/member.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Server, Snapshot, Volume } from "#model/resource.ts";
import type { Task } from "#model/task.ts";
import type { Vault, VaultMove, VaultResource } from "#model/vault.ts";
import type { Role } from "#model/caller.ts";
import type { RowOf } from "./codec.ts";
import type { AccessKey, ApplicationCredential, Domain, Project, User } from "./tables.ts";

/** Rises with every insert: the order in which rows came. */
interface Sequenced {
  seq: Generated<number>;
}

type OfSome<T> = { [K in keyof T]: ColumnType<T[K] | null, T[K] | null | undefined, T[K] | null> };
type VolumeRow = RowOf<Volume>;
type ServerRow = RowOf<Omit<Server, "disks">>;
type CommonKey = keyof VolumeRow & keyof ServerRow;

/** Volumes and servers: what only one of them has is null in the other's row. */
type ResourceColumns = Pick<VolumeRow | ServerRow, CommonKey> & OfSome<Omit<VolumeRow, CommonKey>> & OfSome<Omit<ServerRow, CommonKey>>;
export type ResourceRow = Selectable<ResourceColumns>;

/** The tables as Kysely sees them; `migrations/` makes them. */
export interface Schema {
  meta: { key: string; value: string };
  domains: RowOf<Domain>;
  projects: RowOf<Project>;
  users: RowOf<User>;
  roles: { user_id: string; project_id: string; role: Role };
  access_keys: RowOf<AccessKey>;
  application_credentials: RowOf<ApplicationCredential>;
  revoked_tokens: { token_id: string; expires_at: number };
  resources: ResourceColumns;
  server_disks: { server_id: string; position: number; volume_id: string; system_disk: number };
  snapshots: RowOf<Snapshot>;
  vaults: RowOf<Vault>;
  vault_resources: RowOf<VaultResource> & Sequenced;
  vault_moves: RowOf<VaultMove> & Sequenced;
  checkpoints: RowOf<Checkpoint>;
  /** `stored_bytes` repeats `statistics.storedBytes`, so that sums need not read JSON. */
  backups: RowOf<Backup> & Sequenced & { stored_bytes: number };
  amended_backups: { backup_id: string; project_id: string };
  members: RowOf<Member>;
  tasks: RowOf<Task> & Sequenced;
  audit: RowOf<AuditEntry>;
  policies: RowOf<Policy>;
  vault_policies: RowOf<VaultPolicy>;
  organization_policies: RowOf<OrganizationPolicy>;
  full_backups: { vault_id: string; resource_id: string; full_at: number; incrementals: number };
  events: RowOf<ProjectEvent>;
  webhooks: RowOf<Webhook>;
  deliveries: RowOf<Delivery>;
  replication_records: RowOf<ReplicationRecord>;
}

/** How the table modules reach the database: outside of a transaction, or inside one. */
export interface Db {
  /** For queries that change nothing. */
  readonly read: Kysely<Schema>;
  /** For statements that change something. */
  readonly write: Kysely<Schema>;
  /** Runs a query that is a constant text with `?` for its parameters: nothing is built per call. */
  hot(sql: string, parameters: readonly unknown[]): Record<string, unknown>[] | Promise<Record<string, unknown>[]>;
  /** A number that is another one after every commit of anybody; absent where nothing can tell it (in a transaction, in memory). */
  version?(): number;
  /** Several statements that must happen together; within a transaction they belong to it. */
  atomically<T>(work: (db: Db) => Promise<T>): Promise<T>;
}
