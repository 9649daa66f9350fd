import type { Catalog } from "#catalog/tables.ts";
import { defaultRoleBook, type RoleBook } from "#model/roles.ts";
import type { Clock } from "#platform/clock.ts";
import type { Log } from "#platform/log.ts";
import type { Random } from "#platform/random.ts";
import type { Peer } from "./replication/peers.ts";
import type { Engine } from "#repository/engine-types.ts";

/** Keeps secrets of the catalog under the master key. */
export interface SecretBox {
  seal(name: string, secret: string): Uint8Array;
  /** Throws when it was sealed under another key or for another name. */
  open(name: string, sealed: Uint8Array): string;
}

/** What every use case gets: made once, in `app.ts`. */
export interface Context {
  catalog: Catalog;
  engine: Engine;
  clock: Clock;
  random: Random;
  log: Log;
  settings: ServiceSettings;
  /** Tells the runner that there is work. */
  wake(): void;
  /** Seals what must be known in clear later, under the master key; `name` says whose it is and is authenticated with it. */
  secrets: SecretBox;
  /** The roles that there are; absent = the built-in ones. Ask by {@link rolesOf}. */
  roles?: RoleBook;
  /** Other regions' services; absent = none. Ask by `peersOf`. */
  peers?: readonly Peer[];
  /** How a file is cloned by shared blocks; absent = as the file system can. Tells whether it could. */
  clone?: (from: string, to: string) => Promise<boolean>;
}

/** The roles of this installation. */
export const rolesOf = ({ roles }: Pick<Context, "roles">): RoleBook => roles ?? defaultRoleBook;

export interface ServiceSettings {
  /** Region and zone of this node and its store. */
  region: string;
  zone: string;
  /** Host id of this node: made once per data folder. */
  nodeId: string;
  /** Folder of our own volumes and snapshots. */
  volumesPath: string;
  /** Roots below which `file:` resources may lie. */
  sourceRoots: readonly string[];
  /** Folder with the stores that projects may import from: `<project id>/<name>/`. Absent = none. */
  importPath?: string;
  /** Bytes per chunk of new lineages. */
  chunkBytes: number;
  /** zstd level; 0 = store as it is. */
  compressionLevel: number;
  /** Smallest and largest capacity of a vault, GiB. */
  vaultMinGib: number;
  vaultMaxGib: number;
  /** Capacity of the vault that Block Storage backups go to, GiB. */
  implicitVaultGib: number;
  /** Stored bytes that the daily checks read in all; absent or 0 = no daily check. */
  checkDailyBytes?: number;
  /** Between two scheduled collections of a project, microseconds; absent or 0 = none. */
  collectIntervalUs?: number;
  /** How long a deleted backup can be brought back, and what no backup needs stays in the store; default 24 hours. Microseconds. */
  graceUs?: number;
  /** A collection that finds more than this part of what a project needed lost without a deletion stops; default 0.2. */
  maxCondemnRatio?: number;
  /** How long a task may run, microseconds; absent or 0 = as long as it takes. */
  taskTimeoutUs?: number;
  /** How long a task that is over is kept in the operation log, days; absent or 0 = for ever. */
  taskDays?: number;
  /** Minutes of the day, UTC, between which backups expire; `to` may be on the next day. Absent = at any time. */
  expiryHours?: { from: number; to: number };
  /** How long the audit log goes back, days; absent or 0 = for ever. */
  auditDays?: number;
  /** How long events are kept, days; absent or 0 = for ever. */
  eventDays?: number;
  /** Hosts, addresses and networks that webhooks may be sent to beside the public internet. */
  webhookAllow?: readonly string[];
}
