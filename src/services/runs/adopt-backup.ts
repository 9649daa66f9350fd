import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { Resource } from "#model/resource.ts";
import type { Vault } from "#model/vault.ts";
import type { FoundBackup } from "../imports/found-backups.ts";
import type { ImportStore } from "../imports/import-stores.ts";
import { newCheckpoint } from "../support/backup-rows.ts";
import { fillOf, refuseFullVault, settleUsage } from "../support/capacity.ts";
import { implicitVault } from "../support/implicit-vault.ts";
import { syncInput } from "../support/task-input.ts";
import { sealedAtOf, statisticsOf } from "./backup-disk.ts";
import type { BackupDocument } from "./backup-disk.ts";
import { removeRoots, sealedPatch } from "./failBackup.ts";
import type { SealedDisk } from "./failBackup.ts";
import { StaleTaskError, TaskStop } from "./run.ts";
import type { TaskRun } from "./run.ts";
import { serverPatch } from "./runBackup.ts";

interface Wanted {
  /** Absent: the vault that it was in where that is this project's, else the project's implicit one. */
  vaultId?: Id;
  /** Absent: as it was called. */
  name?: string;
}

/**
 * Copies a backup of another store into this one, verified piece by piece and sealed anew, and lists it under its own id in one transaction. When
 * it fails nothing of it is left.
 * @throws DomainError `conflict` when another project has one of the ids, `vaultCannotSync`, `vaultFull`, `invalidRequest` for a backup that is not
 * whole; RepositoryError
 */
export async function adoptBackup(run: TaskRun, store: ImportStore, found: FoundBackup, wanted: Wanted): Promise<void> {
  const { context, task, control } = run;
  if (found.unusable !== undefined) throw new DomainError("invalidRequest", `Backup ${found.top.id} cannot be imported: ${found.unusable}.`);
  for (const { id } of [found.top, ...found.disks.map(({ backup }) => backup)])
    if (await context.catalog.backups.isTaken(id)) throw new DomainError("conflict", `The id of backup ${id} is in use here already.`);
  const vault = await context.catalog.transaction((tables) => vaultFor(run, tables, found.top, wanted));
  const checkpoint = newCheckpoint(context, vault, { name: wanted.name ?? found.top.name ?? found.top.id, description: found.top.description });
  const isServer = found.disks.some(({ parent }) => parent !== null);
  const top = rowOf(run, found.top, vault, checkpoint, wanted.name === undefined ? {} : { name: wanted.name });
  const children = isServer ? found.disks.map(({ backup }) => rowOf(run, backup, vault, checkpoint)) : [];
  const rows = isServer ? children : [top];
  const bindings = await context.catalog.vaults.resourcesOf(vault.id);
  const sealed: SealedDisk[] = [];
  try {
    for (const [index, { resource, server, fromSnapshot }] of found.disks.entries()) {
      control.signal.throwIfAborted();
      const backup = rows[index]!;
      const document: BackupDocument = {
        backup: { ...backup, status: "available", progress: 100, updatedAt: context.clock.nowUs() },
        parent: isServer ? top : null,
        siblings: children,
        vault,
        bindings,
        resource: inProject(resource, vault),
        server: server && inProject(server, vault),
        checkpoint,
        fromSnapshot,
        changeToken: null,
      };
      await context.engine.discardRoot(task.projectId, backup.id);
      const outcome = await context.engine.replicate(
        {
          tenant: task.projectId,
          backupId: backup.id,
          from: { kind: "store", storePath: store.storePath, keyPath: store.keyPath, tenant: found.tenant, backupId: backup.id },
          document,
          compressionLevel: context.settings.compressionLevel,
        },
        { signal: control.signal, onProgress: (at) => control.progress(at) },
      );
      const statistics = statisticsOf(outcome);
      const sealedAt = sealedAtOf(document, statistics);
      sealed.push({ backupId: backup.id, rootKey: outcome.rootKey, protectedAt: backup.protectedAt ?? backup.createdAt, sealedAt, statistics });
    }
    control.signal.throwIfAborted();
    await context.catalog.transaction((tables) => list(run, tables, checkpoint, { top, children, sealed }));
  } catch (error) {
    const reason: unknown = control.signal.reason;
    // Whoever has taken the task over makes the same root objects.
    const isTakenOver = error instanceof StaleTaskError || (reason instanceof TaskStop && reason.kind === "leaseLost");
    const ids = rows.map(({ id }) => id);
    if (!isTakenOver) await removeRoots(context, task, ids);
    throw error;
  }
}

async function vaultFor({ context, task }: TaskRun, tables: Tables, top: Backup, wanted: Wanted): Promise<Vault> {
  const objectType = objectTypeOf[top.resourceType];
  const named = await tables.vaults.get(task.projectId, wanted.vaultId ?? top.vaultId);
  const fits = named !== undefined && named.objectType === objectType && named.protectType === "backup" && named.status === "available";
  if (!fits && wanted.vaultId !== undefined)
    throw new DomainError("vaultCannotSync", `Vault ${wanted.vaultId} is not available, or holds another kind of backups.`);
  const caller = { projectId: task.projectId, userId: syncInput(task).userId };
  const vault = fits ? named : await implicitVault(context, tables, caller, objectType);
  await refuseFullVault(context, tables, vault);
  return vault;
}

/** What the backup says of its image stays; what belongs to a place is this place's. */
function rowOf({ context, task }: TaskRun, backup: Backup, vault: Vault, checkpoint: Checkpoint, over: Partial<Backup> = {}): Backup {
  const now = context.clock.nowUs();
  return {
    ...backup,
    projectId: vault.projectId,
    userId: syncInput(task).userId,
    status: "protecting",
    imageType: "backup",
    vaultId: vault.id,
    checkpointId: checkpoint.id,
    baseId: null,
    chainId: backup.id,
    storeZone: context.settings.zone,
    nodeId: context.settings.nodeId,
    taskId: task.id,
    snapshotId: null,
    progress: backup.resourceType === "OS::Nova::Server" ? null : 0,
    failReason: null,
    statistics: null,
    rootKey: null,
    updatedAt: now,
    // What has expired elsewhere was asked for here all the same.
    expiredAt: backup.expiredAt !== null && backup.expiredAt > now ? backup.expiredAt : null,
    ...over,
  };
}

const inProject = <R extends Resource>(resource: R, { projectId }: Vault): R => ({ ...resource, projectId });

async function list(
  { context, task }: TaskRun,
  tables: Tables,
  checkpoint: Checkpoint,
  { top, children, sealed }: { top: Backup; children: Backup[]; sealed: readonly SealedDisk[] },
): Promise<void> {
  if ((await tables.tasks.get(task.projectId, task.id))?.fencingToken !== task.fencingToken)
    throw new StaleTaskError(`task ${task.id} is not this run's any more`);
  const before = await fillOf(tables, task.projectId, top.vaultId);
  await tables.checkpoints.insert(checkpoint);
  for (const row of [top, ...children]) await tables.backups.insert(row);
  for (const disk of sealed) await tables.backups.update(disk.backupId, { ...sealedPatch(disk), status: "available" });
  if (children.length > 0) {
    const disks = sealed.map((disk) => ({ ...disk, incremental: children.find(({ id }) => id === disk.backupId)!.incremental }));
    await tables.backups.update(top.id, { ...serverPatch(disks), status: "available", failReason: null });
  }
  await settleUsage(context, tables, before);
}
