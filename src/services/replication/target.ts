import type { Backup } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Resource } from "#model/resource.ts";
import type { VaultObjectType } from "#model/vault.ts";

/** What is asked of a destination before anything is copied. */
export interface CopyQuestion {
  sourceRegion: string;
  sourceProjectId: ProjectId;
  destinationProjectId: ProjectId;
  destinationVaultId: Id;
  /** Of the source's vault: both must hold the same kind of object. */
  objectType: VaultObjectType;
  backupIds: readonly Id[];
}

/** What a destination is told of a copy that it is to make; JSON between services. */
export interface CopyOrder {
  record: ReplicationRecord;
  objectType: VaultObjectType;
  /** Of the copy. */
  name: string | null;
  description: string | null;
  /** Days that the copy is kept; null = until deleted. */
  retentionDays: number | null;
  backup: Backup;
  /** Disk backups inside a server backup, in device order. */
  children: Backup[];
  /** What each disk backup was made of, by its id. */
  resources: Record<Id, Resource>;
  server: Resource | null;
  /** Bytes of each disk backup that are not zero, by its id: for the progress. */
  diskBytes: Record<Id, number>;
}

/**
 * The region that a copy goes to, this one or another, as the source's side speaks to it. Errors: DomainError `destinationUnreachable`,
 * `projectTakesNoReplicas`, `destinationVaultMissing`, `vaultTakesNoReplicas`, `destinationVaultFull`.
 */
export interface ReplicaTarget {
  /** Refuses what could not be copied there; tells which of the backups have a copy there, made or being made. */
  examine(question: CopyQuestion): Promise<Id[]>;
  /** Has the copy made. May be called again: a copy that is being made, or was made, stays; one that failed is begun anew. */
  begin(order: CopyOrder): Promise<ReplicationRecord>;
  /** How far it is; undefined when the destination knows nothing of it. */
  show(recordId: Id): Promise<ReplicationRecord | undefined>;
  /** Stops it and leaves nothing of it. Idempotent. */
  cancel(recordId: Id): Promise<void>;
}
