import type { Id, ProjectId, TimestampUs } from "./ids.ts";
import type { ResourceType } from "./resource.ts";

/** Of the last three there is no resource yet that could be bound: a vault of theirs can be made, and stays empty. */
export type VaultObjectType = "server" | "disk" | "turbo" | "vmware" | "file";
export type VaultStatus = "available" | "lock" | "frozen" | "deleting" | "error";
export type ProtectStatus = "available" | "error" | "protecting" | "restoring" | "removing";

export interface Tag {
  key: string;
  value: string | null;
}

/** A container of backups of one kind of resource, with a capacity. */
export interface Vault {
  id: Id;
  projectId: ProjectId;
  userId: string;
  name: string;
  description: string | null;
  enterpriseProjectId: string;
  objectType: VaultObjectType;
  protectType: "backup" | "replication";
  consistentLevel: "crash_consistent" | "app_consistent";
  cloudType: "public" | "hybrid";
  chargingMode: "post_paid" | "pre_paid";
  isMultiAz: boolean;
  /** Capacity in GB as the wire counts them (GiB). */
  sizeGib: number;
  status: VaultStatus;
  autoBind: boolean;
  autoExpand: boolean;
  smnNotify: boolean;
  /** Usage percentage, 1 to 100, above which an alert is due. */
  threshold: number;
  locked: boolean;
  bindRules: { tags?: Tag[] };
  tags: Tag[];
  availabilityZone: string | null;
  backupNamePrefix: string | null;
  /** Made by us to hold backups that came in through Block Storage: one of a project. */
  implicit: boolean;
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}

/** A resource bound to a vault, with the figures that the vault shows of it. */
export interface VaultResource {
  vaultId: Id;
  resourceId: Id;
  type: ResourceType;
  /** Volumes of a server that are not backed up. */
  excludeVolumes: Id[];
  /** Left out of automatic backups until it is resumed; backups by hand are made all the same. */
  suspended: boolean;
}

/** Whether a vault that binds by itself takes a resource with these tags: any tag of its rules will do, and without rules it takes all. */
export function bindRulesFit(vault: Pick<Vault, "bindRules">, tags: readonly Tag[]): boolean {
  const rules = vault.bindRules.tags ?? [];
  return rules.length === 0 || rules.some((rule) => tags.some((tag) => tag.key === rule.key && (tag.value ?? "") === (rule.value ?? "")));
}

/** A resource that went to another vault of its project, with every backup that it had in the first one. */
export interface VaultMove {
  projectId: ProjectId;
  resourceId: Id;
  fromVaultId: Id;
  toVaultId: Id;
  movedAt: TimestampUs;
}

/** The vault in which a top-level backup is after the moves, which are in their order. `vaultId` is where it was made. */
export function vaultAfterMoves(moves: readonly VaultMove[], backup: { resourceId: Id; vaultId: Id; createdAt: TimestampUs }): Id {
  let { vaultId } = backup;
  for (const move of moves) {
    const isMoved = move.resourceId === backup.resourceId && move.fromVaultId === vaultId && move.movedAt >= backup.createdAt;
    if (isMoved) vaultId = move.toVaultId;
  }
  return vaultId;
}

/** Measured from the backups that the vault holds. */
export interface VaultUsage {
  /** Sum of the sizes of the associated resources, GiB. */
  allocatedGib: number;
  /** Stored bytes of its backups. */
  usedBytes: number;
}

const gibBytes = 1024 ** 3;

/** Whether the backups of a vault take all that it may hold. */
export const isFull = (vault: Pick<Vault, "sizeGib">, usedBytes: number): boolean => usedBytes >= vault.sizeGib * gibBytes;

/** Part of a vault's capacity that is used, in percent; above 100 when it holds more than it may. */
export const usedPercent = (vault: Pick<Vault, "sizeGib">, usedBytes: number): number => (usedBytes * 100) / (vault.sizeGib * gibBytes);

/** The capacity of a vault that grows to 1.25 times its size as often as it is full, `maxGib` at most. */
export function expandedSizeGib(vault: Pick<Vault, "sizeGib">, usedBytes: number, maxGib: number): number {
  let { sizeGib } = vault;
  while (sizeGib < maxGib && isFull({ sizeGib }, usedBytes)) sizeGib = Math.min(maxGib, Math.ceil(sizeGib * 1.25));
  return sizeGib;
}
