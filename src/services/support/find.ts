import type { BackupView, Tables } from "#catalog/tables.ts";
import type { VaultFilter } from "#catalog/vault-table.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { ErrorCode } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Policy } from "#model/policy.ts";
import type { Resource, Server, Snapshot, Volume } from "#model/resource.ts";
import type { Task } from "#model/task.ts";
import type { Vault } from "#model/vault.ts";

type Who = Pick<Caller, "projectId">;

function orMissing<T>(found: T | undefined, code: ErrorCode, noun: string, id: Id): T {
  if (found === undefined) throw new DomainError(code, `There is no ${noun} ${id} in this project.`);
  return found;
}

/** What is not there and what belongs to another project look the same to a caller: not found. */
export const findVault = async (tables: Tables, who: Who, id: Id): Promise<Vault> =>
  orMissing(await tables.vaults.get(who.projectId, id), "vaultNotFound", "vault", id);
/** Every vault of the project that the filter wants, newest first. */
export const allVaults = async (tables: Tables, who: Who, filter: VaultFilter = {}): Promise<Vault[]> =>
  (await tables.vaults.list(who.projectId, filter, { limit: 1_000_000, offset: 0 })).items;
export const findBackup = async (tables: Tables, who: Who, id: Id): Promise<Backup> =>
  orMissing(await tables.backups.get(who.projectId, id), "backupNotFound", "backup", id);
export const findBackupView = async (tables: Tables, who: Who, id: Id): Promise<BackupView> =>
  orMissing(await tables.backups.view(who.projectId, id), "backupNotFound", "backup", id);
export const findVolume = async (tables: Tables, who: Who, id: Id): Promise<Volume> =>
  orMissing(await tables.resources.getVolume(who.projectId, id), "volumeNotFound", "volume", id);
export const findServer = async (tables: Tables, who: Who, id: Id): Promise<Server> =>
  orMissing(await tables.resources.getServer(who.projectId, id), "serverNotFound", "server", id);
export const findResource = async (tables: Tables, who: Who, id: Id): Promise<Resource> =>
  orMissing(await tables.resources.get(who.projectId, id), "resourceNotFound", "resource", id);
export const findSnapshot = async (tables: Tables, who: Who, id: Id): Promise<Snapshot> =>
  orMissing(await tables.snapshots.get(who.projectId, id), "snapshotNotFound", "snapshot", id);
export const findPolicy = async (tables: Tables, who: Who, id: Id): Promise<Policy> =>
  orMissing(await tables.policies.get(who.projectId, id), "policyNotFound", "policy", id);
export const findTask = async (tables: Tables, who: Who, id: Id): Promise<Task> =>
  orMissing(await tables.tasks.get(who.projectId, id), "taskNotFound", "task", id);

/** Only administrators may look across projects; for others the wish is ignored. */
export function withinReach<F extends { allProjects?: boolean }>(caller: Caller, filter: F): F {
  if (filter.allProjects !== true || caller.roles.includes("admin")) return filter;
  const { allProjects: _, ...own } = filter;
  return own as F;
}
