import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import { DomainError } from "#model/errors.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Task } from "#model/task.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { removeBackupRows } from "../runs/remove-backup.ts";
import { dayUs, newCheckpoint } from "../support/backup-rows.ts";
import { newTask } from "../support/new-task.ts";
import { asInput } from "../support/task-input.ts";
import type { ReplicaTaskInput } from "../support/task-input.ts";
import { findDestination } from "./examineDestination.ts";
import type { Sender } from "./examineDestination.ts";
import type { CopyOrder } from "./target.ts";

/**
 * Queues the making of a copy in a vault of this service. One that is being made, or was made, stays as it is; one that failed is begun anew. Where
 * another copying has brought the backup here meanwhile, there is nothing to do: `skip`.
 * @throws DomainError as `examineDestination`
 */
export async function beginReplica(context: Context, sender: Sender, order: CopyOrder): Promise<ReplicationRecord> {
  const begun = await context.catalog.transaction(async (tables) => {
    const { record } = order;
    const known = await tables.replications.get(record.id);
    refuseForeign(context, sender, order, known);
    const before = known?.destinationBackupId ? await tables.backups.get(known.destinationProjectId, known.destinationBackupId) : undefined;
    if (known !== undefined && known.status !== "fail" && before !== undefined) return known;
    const vault = await findDestination(context, tables, sender, { ...order, ...record });
    if (before?.status === "error") await removeBackupRows(tables, before);
    const copies = await tables.replications.liveCopies({ ...record, backupIds: [record.sourceBackupId] });
    const now = context.clock.nowUs();
    const next: ReplicationRecord =
      copies.length > 0
        ? { ...record, status: "skip", updatedAt: now }
        : { ...record, ...(await insertReplica(context, tables, vault, order)), status: "waiting_replicate", progress: 0, updatedAt: now };
    const row = { ...next, failCode: "", failReason: "" };
    if (known === undefined) await tables.replications.insert(row);
    else await tables.replications.update(row.id, row);
    return row;
  });
  context.wake();
  return begun;
}

/** A region speaks of its own backups and its own copyings alone. */
function refuseForeign(
  context: Context,
  sender: Sender,
  { record, objectType, backup, children, resources }: CopyOrder,
  known: ReplicationRecord | undefined,
): void {
  const { sourceRegion, sourceProjectId, sourceBackupId, destinationRegion, destinationProjectId } = record;
  const isWhole =
    destinationRegion === context.settings.region &&
    backup.id === sourceBackupId &&
    backup.parentId === null &&
    [backup, ...children].every((each) => each.projectId === sourceProjectId) &&
    children.every((each) => each.parentId === backup.id) &&
    objectTypeOf[backup.resourceType] === objectType &&
    (objectType === "server") === children.length > 0;
  const disks = children.length > 0 ? children : [backup];
  const isTold = disks.every(({ id, resourceId, resourceType }) => resourceType === "OS::Cinder::Volume" && resources[id]?.id === resourceId);
  const isOwn = sourceRegion === ("region" in sender ? sender.region : context.settings.region);
  const isSame =
    known === undefined ||
    (known.sourceRegion === sourceRegion && known.sourceBackupId === sourceBackupId && known.destinationProjectId === destinationProjectId);
  if (!isWhole || !isTold || !isOwn || !isSame)
    throw new DomainError("invalidRequest", "record: is not of a copying from that region to here", { field: "record" });
}

async function insertReplica(
  context: Context,
  tables: Tables,
  vault: Vault,
  order: CopyOrder,
): Promise<Pick<ReplicationRecord, "destinationBackupId" | "destinationCheckpointId">> {
  const { name, description, retentionDays } = order;
  const checkpoint = newCheckpoint(context, vault, { name: name ?? order.backup.id, description, retentionDays });
  const copyOf = (backup: Backup, over: Partial<Backup>): Backup => replicaRow(context, vault, checkpoint.id, order, backup, over);
  const top = copyOf(order.backup, { name, description });
  const children = order.children.map((child) => copyOf(child, { parentId: top.id }));
  const disks = order.children.length > 0 ? order.children.map((child, at) => [child, children[at]!] as const) : [[order.backup, top] as const];
  const task = replicaTask(context, vault, top, order, {
    recordId: order.record.id,
    ...sides(order.record, top),
    disks: disks.map(([from, to]) => ({
      backupId: to.id,
      sourceBackupId: from.id,
      resource: order.resources[from.id]!,
      dataBytes: order.diskBytes[from.id] ?? 0,
    })),
    server: order.server,
  });
  await tables.checkpoints.insert(checkpoint);
  for (const each of [top, ...children]) await tables.backups.insert({ ...each, taskId: task.id });
  await tables.tasks.insert(task);
  return { destinationBackupId: top.id, destinationCheckpointId: checkpoint.id };
}

/** A copy is a backup of its own: what the source says of the image stays, what belongs to a place is this place's. */
function replicaRow(context: Context, vault: Vault, checkpointId: string, order: CopyOrder, source: Backup, over: Partial<Backup>): Backup {
  const id = context.random.uuid();
  const createdAt = context.clock.nowUs();
  return {
    ...source,
    id,
    projectId: vault.projectId,
    userId: vault.userId,
    status: "waiting_protect",
    imageType: "replication",
    vaultId: vault.id,
    checkpointId,
    parentId: null,
    baseId: null,
    chainId: id,
    storeZone: context.settings.zone,
    nodeId: context.settings.nodeId,
    taskId: null,
    autoTrigger: order.record.autoTrigger,
    snapshotId: null,
    progress: source.resourceType === "OS::Nova::Server" ? null : 0,
    failReason: null,
    statistics: null,
    rootKey: null,
    createdAt,
    updatedAt: null,
    expiredAt: order.retentionDays === null ? null : createdAt + order.retentionDays * dayUs,
    viaCloudbackups: false,
    ...over,
  };
}

function replicaTask(context: Context, vault: Vault, top: Backup, order: CopyOrder, input: ReplicaTaskInput): Task {
  return newTask(context, {
    projectId: vault.projectId,
    type: "replica",
    vaultId: vault.id,
    vaultName: vault.name,
    checkpointId: top.checkpointId,
    providerId: providerIds[objectTypeOf[top.resourceType]],
    backupId: top.id,
    backupName: top.name,
    resourceId: order.backup.resourceId,
    resourceName: order.backup.resourceName,
    resourceType: order.backup.resourceType,
    input: asInput(input),
  });
}

const sides = (record: ReplicationRecord, copy: Backup) => ({
  sourceRegion: record.sourceRegion,
  sourceProjectId: record.sourceProjectId,
  sourceBackupId: record.sourceBackupId,
  sourceBackupName: record.sourceBackupName,
  sourceCheckpointId: record.sourceCheckpointId,
  destinationRegion: record.destinationRegion,
  destinationProjectId: record.destinationProjectId,
  destinationBackupId: copy.id,
  destinationBackupName: copy.name,
  destinationCheckpointId: copy.checkpointId,
});
