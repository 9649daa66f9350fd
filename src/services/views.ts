import type { Checkpoint, CheckpointStatus } from "#model/checkpoint.ts";
import type { Id } from "#model/ids.ts";
import type { Policy, VaultPolicy } from "#model/policy.ts";
import type { ResourceType } from "#model/resource.ts";
import type { ProtectStatus, Vault, VaultUsage } from "#model/vault.ts";

/** A resource as a vault or a restore point shows it. */
export interface VaultResourceView {
  id: Id;
  type: ResourceType;
  name: string;
  sizeGib: number;
  protectStatus: ProtectStatus;
  /** Stored bytes of its backups in this vault, and how many there are. */
  backupSizeBytes: number;
  backupCount: number;
  excludeVolumes: Id[];
  /** Left out of automatic backups. */
  suspended: boolean;
}

export interface VaultView {
  vault: Vault;
  usage: VaultUsage;
  resources: VaultResourceView[];
}

export interface CheckpointView {
  checkpoint: Checkpoint;
  /** Derived from its backups: protecting while any is queued or running, error when one failed, else available. */
  status: CheckpointStatus;
  vault: Vault;
  resources: VaultResourceView[];
}

export interface PolicyView {
  policy: Policy;
  /** Where it is applied. */
  vaults: VaultPolicy[];
}
