import type { BackupStatus } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Vault, VaultMove, VaultObjectType, VaultResource, VaultUsage } from "#model/vault.ts";
import type { Listed, Page } from "./tables.ts";

export interface VaultFilter {
  name?: string;
  ids?: Id[];
  status?: string;
  resourceIds?: Id[];
  cloudType?: string;
  protectType?: string;
  objectType?: VaultObjectType;
  enterpriseProjectId?: string;
  /** A policy that is applied to the vault. */
  policyId?: Id;
}

/** All vaults of a project together. */
export interface VaultSummary {
  sizeGib: number;
  usedBytes: number;
}

/** What is known of the protection of one resource by one vault. */
export interface ResourceProtection {
  /** The resource itself; null when the project has it no more. */
  resource: { name: string; sizeGib: number } | null;
  /** A task of it waits or runs, or it or a disk of it is being backed up or restored. */
  mayBeBusy: boolean;
  /** How its newest backup in the vault stands; null when there is none. */
  newestStatus: BackupStatus | null;
  /** Its top-level backups in the vault, and their stored bytes. */
  backupCount: number;
  storedBytes: number;
}

export interface VaultTable {
  insert(vault: Vault): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Vault | undefined>;
  /** The implicit vault of a project for one kind of object, if it has been made. */
  findImplicit(projectId: ProjectId, objectType: VaultObjectType): Promise<Vault | undefined>;
  list(projectId: ProjectId, filter: VaultFilter, page: Page): Promise<Listed<Vault>>;
  /** Available vaults for backups that bind resources of a kind by themselves, the oldest first. */
  autoBinding(projectId: ProjectId, objectType: VaultObjectType): Promise<Vault[]>;
  update(id: Id, patch: Partial<Vault>): Promise<void>;
  remove(id: Id): Promise<void>;
  bind(resource: VaultResource): Promise<void>;
  unbind(vaultId: Id, resourceId: Id): Promise<void>;
  /** Whether automatic backups leave out a resource of the vault. */
  setSuspended(vaultId: Id, resourceId: Id, suspended: boolean): Promise<void>;
  resourcesOf(vaultId: Id): Promise<VaultResource[]>;
  insertMove(move: VaultMove): Promise<void>;
  /** In the order in which they were made. */
  movesOf(projectId: ProjectId): Promise<VaultMove[]>;
  /** The vault that a resource is bound to: at most one. */
  vaultOf(resourceId: Id): Promise<VaultResource | undefined>;
  usage(vaultId: Id): Promise<VaultUsage>;
  summary(projectId: ProjectId): Promise<VaultSummary>;
  /** Of a resource that is or was in the vault. */
  protectionOf(vault: Pick<Vault, "id" | "projectId">, resourceId: Id): Promise<ResourceProtection>;
}
