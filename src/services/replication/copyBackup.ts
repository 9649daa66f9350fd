import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import { replicationIsOver } from "#model/replication.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { checkDescription, checkName } from "../support/checks.ts";
import { findBackup, findVault } from "../support/find.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";
import { targetOf } from "./targets.ts";

/** Where copies go. */
export interface Destination {
  destinationRegion: string;
  destinationProjectId: ProjectId;
  destinationVaultId: Id;
}

export interface CopyBackupInput extends Destination {
  backupId: Id;
  /** Of the copy; absent = as the backup. */
  name?: string;
  description?: string;
}

/**
 * Queues the copying of a top-level backup into a replication vault, here or in another region. Disk backups, server backups and copies are copied.
 * @throws DomainError `backupNotFound`, `backupNotReplicable`, `replicaExists`, `regionNotReachable`, `destinationUnreachable`, and what
 * `examineDestination` says of the destination; `invalidRequest`
 */
export async function copyBackup(context: Context, caller: Caller, input: CopyBackupInput): Promise<ReplicationRecord> {
  const name = input.name === undefined ? undefined : checkName(input.name, "name");
  const description = input.description === undefined ? undefined : checkDescription(input.description, "description");
  const backup = await findBackup(context.catalog, caller, input.backupId);
  refuseUnlessReplicable(backup);
  const vault = await findVault(context.catalog, caller, backup.vaultId);
  const copied = await copiesThere(context, caller, vault, input, [backup.id]);
  if (copied.has(backup.id)) throw existsThere(backup.id, input);
  const record = await context.catalog.transaction(async (tables) => {
    const now = await findBackup(tables, caller, input.backupId);
    refuseUnlessReplicable(now);
    return insertCopying(context, tables, { caller, vault, backup: now, destination: input, autoTrigger: false, name, description });
  });
  context.wake();
  return record;
}

/** Which of these backups have a copy at the destination, after the destination was examined. */
export async function copiesThere(
  context: Context,
  caller: Pick<Caller, "projectId" | "userId" | "isBound">,
  vault: Vault,
  destination: Destination,
  backupIds: readonly Id[],
): Promise<Set<Id>> {
  const { destinationRegion: region, destinationProjectId, destinationVaultId } = destination;
  if (vault.objectType === "turbo") throw new DomainError("vaultTypeNotReplicable", `Vault ${vault.id} holds file volumes, which are not copied.`);
  // Credentials that are for one project alone have no role in another, whatever their user has.
  const target = targetOf(context, { region, projectId: destinationProjectId }, caller.isBound === true ? "" : caller.userId);
  const { region: sourceRegion } = context.settings;
  const from = { sourceRegion, sourceProjectId: caller.projectId, objectType: vault.objectType };
  return new Set(await target.examine({ ...from, destinationProjectId, destinationVaultId, backupIds }));
}

const existsThere = (backupId: Id, { destinationRegion }: Destination): DomainError =>
  new DomainError("replicaExists", `Backup ${backupId} has a copy in ${destinationRegion}, or is being copied there.`);

function refuseUnlessReplicable(backup: Backup): void {
  if (backup.parentId !== null)
    throw new DomainError("backupNotReplicable", `Backup ${backup.id} is part of server backup ${backup.parentId}; it is copied with that one.`);
  if (backup.status !== "available")
    throw new DomainError("backupNotReplicable", `Backup ${backup.id} is ${backup.status}; only an available one can be copied.`);
}

export interface Copying {
  caller: Pick<Caller, "projectId" | "userId" | "requestId">;
  vault: Vault;
  backup: Backup;
  destination: Destination;
  autoTrigger: boolean;
  policyId?: Id | null;
  name?: string | undefined;
  description?: string | null | undefined;
  retentionDays?: number | null;
}

/** Inserts the record of a copying and the task that sees to it. @throws DomainError `replicaExists` when one is under way */
export async function insertCopying(context: Context, tables: Tables, copying: Copying): Promise<ReplicationRecord> {
  const { caller, vault, backup, destination, autoTrigger } = copying;
  const { destinationRegion, destinationProjectId, destinationVaultId } = destination;
  const isSame = (record: ReplicationRecord): boolean =>
    record.sourceBackupId === backup.id && record.destinationRegion === destinationRegion && record.destinationProjectId === destinationProjectId;
  const known = await tables.replications.ofBackup(backup.id);
  if (known.some((record) => isSame(record) && !replicationIsOver(record.status))) throw existsThere(backup.id, destination);
  const now = context.clock.nowUs();
  const record: ReplicationRecord = {
    id: context.random.uuid(),
    status: "waiting_replicate",
    sourceRegion: context.settings.region,
    sourceProjectId: backup.projectId,
    sourceVaultId: vault.id,
    sourceBackupId: backup.id,
    sourceBackupName: backup.name,
    sourceCheckpointId: backup.checkpointId,
    destinationRegion,
    destinationProjectId,
    destinationVaultId,
    destinationBackupId: null,
    destinationCheckpointId: null,
    progress: 0,
    failCode: "",
    failReason: "",
    autoTrigger,
    createdAt: now,
    updatedAt: now,
  };
  const name = copying.name ?? backup.name;
  const { id: recordId, createdAt: _, updatedAt: __, status: ___, progress: ____, failCode: _____, failReason: ______, ...sides } = record;
  const task = newTask(context, {
    projectId: backup.projectId,
    type: "replication",
    vaultId: vault.id,
    vaultName: vault.name,
    checkpointId: backup.checkpointId,
    policyId: copying.policyId ?? null,
    providerId: providerIds[objectTypeOf[backup.resourceType]],
    backupId: backup.id,
    backupName: backup.name,
    resourceId: backup.resourceId,
    resourceName: backup.resourceName,
    resourceType: backup.resourceType,
    input: asInput({
      ...sides,
      recordId,
      userId: caller.userId,
      destinationBackupName: name,
      description: copying.description === undefined ? backup.description : copying.description,
      retentionDays: copying.retentionDays ?? null,
    }),
    requestId: caller.requestId,
  });
  await tables.replications.insert(record);
  await tables.tasks.insert(task);
  return record;
}
