import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import type { Checkpoint, SkippedResource } from "#model/checkpoint.ts";
import { DomainError, errorKinds } from "#model/errors.ts";
import type { ErrorCode } from "#model/errors.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import { objectTypeOf, providerIds } from "#model/provider.ts";
import type { Resource, Server } from "#model/resource.ts";
import type { Vault, VaultResource } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { diskBackup, generatedName, insertBackup, newCheckpoint, serverBackup, takeForBackup } from "../support/backup-rows.ts";
import type { IncludedDisk, Run } from "../support/backup-rows.ts";
import { refuseFullVault } from "../support/capacity.ts";
import { checkDescription, checkName, checkWholeNumber } from "../support/checks.ts";
import { viewCheckpoint } from "../support/checkpoint-view.ts";
import { insertEndedTask } from "../support/ended-task.ts";
import { findVault } from "../support/find.ts";
import { chooseResources } from "../support/run-resources.ts";
import type { RunResource } from "../support/run-resources.ts";
import type { CheckpointView } from "../views.ts";

export interface CreateCheckpointInput {
  vaultId: Id;
  name?: string;
  description?: string | null;
  /** Default true: compare with the newest backup where there is one. */
  incremental?: boolean;
  autoTrigger?: boolean;
  /** A subset of the vault's resources; absent = all of them, with `autoTrigger` without those that are suspended. */
  resourceIds?: Id[];
  /** As `resourceIds`, with what of each is backed up. */
  resourceDetails?: RunResource[];
  /** Days that the backups are kept; absent = until deleted. An extension of ours to `parameters`. */
  retentionDays?: number;
}

/** Why a resource is left out of a run. */
interface Skip {
  code: ErrorCode;
  reason: string;
}

/** A resource that can be backed up now. */
interface Ready {
  resource: Resource;
  disks: IncludedDisk[];
}

/**
 * Queues a backup of each resource of a vault that can be backed up now, all in one restore point; tells which were left out and why, and leaves a
 * skipped task for each.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbidsBackup`, `vaultKindCannotBackUp`, `vaultBusy`, `vaultFull`, `resourceNotInVault`,
 * `nothingToBackUp`, `invalidRequest`
 */
export async function createCheckpoint(context: Context, caller: Caller, input: CreateCheckpointInput): Promise<CheckpointView> {
  const view = await context.catalog.transaction(async (tables) => {
    const { id } = await queueCheckpoint(context, tables, caller, input);
    return viewCheckpoint(tables, caller, id);
  });
  context.wake();
  return view;
}

/** What a policy's run adds to a request for a restore point. */
interface PolicyRunInput {
  policyId?: Id;
  /** Resources whose backup is a full one, whatever `incremental` says. */
  fullResourceIds?: ReadonlySet<Id>;
}

/** As {@link createCheckpoint}, within a transaction of the caller's. */
export async function queueCheckpoint(
  context: Context,
  tables: Tables,
  caller: Run["caller"],
  input: CreateCheckpointInput & PolicyRunInput,
): Promise<Checkpoint> {
  const name = input.name === undefined ? undefined : checkName(input.name, "name");
  const description = checkDescription(input.description, "description");
  const retentionDays = input.retentionDays === undefined ? null : checkWholeNumber(input.retentionDays, "retention_duration", 1, 99_999);
  const vault = await findVault(tables, caller, input.vaultId);
  await refuseVault(context, tables, vault);
  const autoTrigger = input.autoTrigger ?? false;
  const bound = await tables.vaults.resourcesOf(vault.id);
  const leavesOut = autoTrigger && input.resourceIds === undefined && (input.resourceDetails?.length ?? 0) === 0;
  const chosen = await chooseResources(tables, vault.projectId, leavesOut ? bound.filter((each) => !each.suspended) : bound, input);
  const runName = name ?? generatedName(context, vault, autoTrigger);
  const { ready, skipped } = await sortOut(tables, caller, chosen);
  const checkpoint = newCheckpoint(context, vault, { name: runName, description, retentionDays, skipped });
  await tables.checkpoints.insert(checkpoint);
  const run: Run = { caller, vault, checkpoint, autoTrigger, incremental: input.incremental ?? true, policyId: input.policyId ?? null };
  for (const [index, each] of ready.entries()) {
    const backupName = chosen.length === 1 ? runName : numberedName(runName, index + 1);
    const incremental = run.incremental && input.fullResourceIds?.has(each.resource.id) !== true;
    await queue(context, tables, { ...run, incremental }, each, backupName);
  }
  for (const each of skipped) await leaveOut(context, tables, run, each);
  return checkpoint;
}

/** `name-0001` and so on, no longer than a name may be. */
const numberedName = (name: string, number: number): string => `${name.slice(0, 59)}-${String(number).padStart(4, "0")}`;

async function leaveOut(context: Context, tables: Tables, { caller, vault, checkpoint, policyId = null }: Run, left: SkippedResource): Promise<void> {
  await insertEndedTask(context, tables, {
    projectId: vault.projectId,
    type: "backup",
    status: "skipped",
    policyId,
    requestId: caller.requestId,
    vaultId: vault.id,
    vaultName: vault.name,
    checkpointId: checkpoint.id,
    providerId: providerIds[objectTypeOf[left.type]],
    resourceId: left.id,
    resourceName: left.name,
    resourceType: left.type,
    errorCode: left.code,
    errorMessage: left.reason,
  });
}

async function refuseVault(context: Context, tables: Tables, vault: Vault): Promise<void> {
  if (vault.protectType !== "backup") throw new DomainError("vaultKindCannotBackUp", `Vault ${vault.id} holds replicas: it cannot run backups.`);
  if (vault.status !== "available" && vault.status !== "lock") {
    throw new DomainError("vaultStatusForbidsBackup", `Vault ${vault.id} is ${vault.status}; a backup needs it available.`);
  }
  const open = await tables.tasks.openTasks({ vaultId: vault.id });
  if (open.some((task) => task.type === "backup")) throw new DomainError("vaultBusy", `A backup of vault ${vault.id} is under way.`);
  await refuseFullVault(context, tables, vault);
}

async function sortOut(tables: Tables, caller: Pick<Caller, "projectId">, chosen: readonly VaultResource[]) {
  const ready: Ready[] = [];
  const skipped = [];
  for (const binding of chosen) {
    const resource = await tables.resources.get(caller.projectId, binding.resourceId);
    const found = resource === undefined ? missing(binding) : await readiness(tables, resource, binding);
    if ("disks" in found) {
      ready.push(found);
      continue;
    }
    const name = resource?.name ?? "";
    skipped.push({ id: binding.resourceId, type: binding.type, name, code: errorKinds[found.code].cbr, reason: found.reason });
  }
  if (ready.length === 0) {
    const reasons = skipped.map((each) => `${each.id}: ${each.reason}`).join(" ");
    throw new DomainError("nothingToBackUp", `None of the resources can be backed up now. ${reasons}`);
  }
  return { ready, skipped };
}

const missing = (binding: VaultResource): Skip => ({
  code: binding.type === "OS::Nova::Server" ? "serverNotFound" : "volumeNotFound",
  reason: "The resource is no longer there.",
});

/** The disks that a backup of the resource would be of if it began now, or why it cannot. */
export async function readiness(tables: Tables, resource: Resource, binding: Pick<VaultResource, "excludeVolumes">): Promise<Ready | Skip> {
  const open = await tables.tasks.openTasks({ resourceId: resource.id });
  if (open.some((task) => task.type === "remove_resource"))
    return { code: "resourcesBeingRemoved", reason: "The resource is being removed from the vault." };
  if (resource.type === "OS::Cinder::Volume") {
    if (resource.status === "restoring-backup") return { code: "resourceBeingRestored", reason: "The disk is being restored." };
    if (resource.status !== "available" && resource.status !== "in-use")
      return { code: "volumeStatusForbids", reason: `The disk is ${resource.status}.` };
    return { resource, disks: [{ volume: resource, systemDisk: await isSystemDisk(tables, resource.id) }] };
  }
  return serverReadiness(tables, resource, binding);
}

async function serverReadiness(tables: Tables, server: Server, binding: Pick<VaultResource, "excludeVolumes">): Promise<Ready | Skip> {
  const disks: IncludedDisk[] = [];
  for (const { volumeId, systemDisk } of server.disks) {
    if (binding.excludeVolumes.includes(volumeId)) continue;
    const volume = await tables.resources.getVolume(server.projectId, volumeId);
    if (volume === undefined) return { code: "volumeNotFound", reason: `Its disk ${volumeId} is no longer there.` };
    if (volume.status === "restoring-backup") return { code: "resourceBeingRestored", reason: `Its disk ${volumeId} is being restored.` };
    if (volume.status !== "available" && volume.status !== "in-use")
      return { code: "serverStatusForbids", reason: `Its disk ${volumeId} is ${volume.status}.` };
    disks.push({ volume, systemDisk });
  }
  return disks.length === 0 ? { code: "serverHasNoDisk", reason: "The server has no disk to back up." } : { resource: server, disks };
}

/** Whether a volume is the disk that a registered server boots from. */
export async function isSystemDisk(tables: Tables, volumeId: Id): Promise<boolean> {
  const servers = await tables.resources.serversOf(volumeId);
  return servers.some((server) => server.disks.some((disk) => disk.volumeId === volumeId && disk.systemDisk));
}

async function queue(context: Context, tables: Tables, run: Run, { resource, disks }: Ready, name: string): Promise<void> {
  const now: TimestampUs = context.clock.nowUs();
  let backup: Backup;
  let children: Backup[] = [];
  if (resource.type === "OS::Nova::Server") {
    const parent = serverBackup(context, run, resource, disks, name);
    backup = parent;
    children = disks.map(({ volume, systemDisk }) =>
      diskBackup(context, run, volume, systemDisk, {
        name: `${name}_${volume.name}`,
        description: null,
        parentId: parent.id,
        resourceAz: null,
        expiredAt: parent.expiredAt,
      }),
    );
  } else {
    backup = diskBackup(context, run, resource, disks[0]!.systemDisk, { name });
  }
  const rows = children.length > 0 ? children : [backup];
  const taken = [];
  for (const [index, { volume }] of disks.entries()) {
    const previousStatus = await takeForBackup(tables, volume, now);
    if (previousStatus === undefined) throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is busy.`);
    taken.push({ backupId: rows[index]!.id, volumeId: volume.id, previousStatus });
  }
  await insertBackup(context, tables, run, backup, children, { disks: taken, incremental: run.incremental, snapshotId: null });
}
