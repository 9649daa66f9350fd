import { stat } from "node:fs/promises";
import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Id, ProjectId, TimestampUs } from "#model/ids.ts";
import { errorKinds } from "#model/errors.ts";
import { replicationIsOver } from "#model/replication.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Resource, Snapshot } from "#model/resource.ts";
import { vaultAfterMoves } from "#model/vault.ts";
import type { VaultMove, VaultResource } from "#model/vault.ts";
import type { RootDescription } from "#repository/engine-types.ts";
import { rootObjectKey } from "#repository/layout.ts";
import type { BackupDocument } from "../runs/backup-disk.ts";
import { sealedAtOf, statisticsOf } from "../runs/backup-disk.ts";
import { serverPatch } from "../runs/runBackup.ts";
import type { ServiceSettings } from "../context.ts";
import { localPath, storageSnapshotPath } from "../support/paths.ts";
import type { ProjectState } from "./projectState.ts";

export const missingRootReason = "Its root object is not in the store.";
const defaultDomain = { id: "default", name: "Default" };

export interface Known {
  state: ProjectState | undefined;
  /** When the state was written; 0 when there is none. */
  stateAt: TimestampUs;
  settings: Pick<ServiceSettings, "volumesPath">;
  /** How resources have gone from vault to vault, in order. */
  moves: readonly VaultMove[];
  /** The catalog is in use, and newer than any root object: only what is gone is added, and nothing is taken away from anything. */
  isLive?: true;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The project, its domain and everything that its state tells except failed backups. Safe to repeat. */
export async function beginProject(tables: Tables, projectId: ProjectId, { state, settings }: Known): Promise<void> {
  const domain = state?.domain ?? defaultDomain;
  const project = state?.project ?? { id: projectId, domainId: domain.id, name: projectId, description: "Rebuilt from the store", enabled: true };
  if ((await tables.identity.getProject(projectId)) !== undefined) return;
  const sameId = await tables.identity.getDomain(domain.id);
  if (sameId === undefined) await tables.identity.insertDomain(domain);
  const isTaken = (await tables.identity.listProjects({ name: project.name, domainId: project.domainId })).length > 0;
  await tables.identity.insertProject(isTaken ? { ...project, name: projectId } : project);
  for (const resource of state?.resources ?? []) await tables.resources.insert(await asFound(resource, settings));
  for (const snapshot of state?.snapshots ?? []) {
    if (await exists(localPath(settings as ServiceSettings, snapshot.id))) await tables.snapshots.insert(snapshot);
    else await tables.snapshots.insert({ ...snapshot, status: "error" } satisfies Snapshot);
  }
  for (const vault of state?.vaults ?? []) await tables.vaults.insert(vault);
  for (const binding of state?.bindings ?? []) await tables.vaults.bind(binding);
  for (const { sealedSecret, ...webhook } of state?.webhooks ?? [])
    await tables.events.insertWebhook({ ...webhook, sealedSecret: Buffer.from(sealedSecret, "base64") });
  for (const move of state?.moves ?? []) await tables.vaults.insertMove(move);
  for (const record of state?.replications ?? [])
    if ((await tables.replications.get(record.id)) === undefined) await tables.replications.insert(asLeft(record));
  for (const policy of state?.policies ?? []) await tables.policies.insert(policy);
  for (const application of state?.vaultPolicies ?? []) await tables.policies.apply(application);
  for (const policy of state?.organizationPolicies ?? []) {
    if ((await tables.organizationPolicies.get(policy.domainId, policy.id)) === undefined) await tables.organizationPolicies.insert(policy);
  }
}

/** What was being copied is not any more: the tasks are lost. */
const asLeft = (record: ReplicationRecord): ReplicationRecord =>
  replicationIsOver(record.status)
    ? record
    : { ...record, status: "fail", failCode: errorKinds.replicationFailed.cbr, failReason: "The catalog was rebuilt while it was being copied." };

/** A volume of ours whose file is gone, or may not be whole, is in error; everything else is as it was. */
async function asFound(resource: Resource, settings: Known["settings"]): Promise<Resource> {
  if (resource.type !== "OS::Cinder::Volume" || !resource.locator.startsWith("local:")) return resource;
  const isWhole = resource.status !== "creating" && (await exists(localPath(settings as ServiceSettings, resource.id)));
  return isWhole ? resource : { ...resource, status: "error" };
}

/** One backup from its root object, with what its document tells of vault, restore point, resource and server backup. */
export async function addBackup(tables: Tables, root: RootDescription, asSealed: BackupDocument, known: Known): Promise<void> {
  const sealedAt = sealedAtOf(asSealed, root.statistics);
  const document = await inVaultOfToday(tables, asSealed, known);
  if (document === asSealed) await addVault(tables, document, sealedAt, known);
  // What a copy was made of is another project's, or another region's.
  if (document.backup.imageType === "backup") await addResources(tables, document, sealedAt, known);
  const { checkpoint, parent } = document;
  if (checkpoint !== null && (await tables.checkpoints.get(root.tenant, checkpoint.id)) === undefined) await tables.checkpoints.insert(checkpoint);
  for (const each of parent === null ? [] : [parent, ...document.siblings]) {
    if ((await tables.backups.get(root.tenant, each.id)) !== undefined) continue;
    await tables.backups.insert({ ...each, status: "error", failReason: missingRootReason, statistics: null, rootKey: null, snapshotId: null });
  }
  const row = await rowOf(root, document, sealedAt, known);
  if ((await tables.backups.get(root.tenant, row.id)) === undefined) await tables.backups.insert(row);
  else await tables.backups.update(row.id, row);
  if (known.moves.length > 0) await tables.checkpoints.settle(row.checkpointId);
}

/** The document as it would be sealed now, where its backup has gone to another vault that is still there. Else the very same. */
export async function inVaultOfToday(tables: Tables, document: BackupDocument, { moves }: Known): Promise<BackupDocument> {
  const { parent, backup, siblings, checkpoint } = document;
  const vaultId = vaultAfterMoves(moves, parent ?? backup);
  if (vaultId === backup.vaultId || (await tables.vaults.get(backup.projectId, vaultId)) === undefined) return document;
  return {
    ...document,
    backup: { ...backup, vaultId },
    parent: parent && { ...parent, vaultId },
    siblings: siblings.map((sibling) => ({ ...sibling, vaultId })),
    checkpoint: checkpoint && { ...checkpoint, vaultId },
  };
}

async function rowOf(root: RootDescription, document: BackupDocument, sealedAt: TimestampUs, { settings }: Known): Promise<Backup> {
  const { backup, fromSnapshot } = document;
  const { snapshotId } = backup;
  const isKept = snapshotId !== null && (fromSnapshot || (await exists(storageSnapshotPath(settings as ServiceSettings, backup, snapshotId))));
  return {
    ...backup,
    status: "available",
    progress: 100,
    failReason: null,
    snapshotId: isKept ? snapshotId : null,
    statistics: statisticsOf({ ...root.statistics }),
    rootKey: rootObjectKey(root.tenant, root.backupId),
    updatedAt: sealedAt,
  };
}

const bindingsKey = (vaultId: Id): string => `rebuild/bindings/${vaultId}`;

/** The newest that is known of a vault counts: the state, where it is newer than the backup, else the vault as the newest backup saw it. */
async function addVault(tables: Tables, { vault, bindings }: BackupDocument, sealedAt: TimestampUs, { stateAt, isLive }: Known): Promise<void> {
  if (vault === null) return;
  const found = await tables.vaults.get(vault.projectId, vault.id);
  if (found === undefined) await tables.vaults.insert({ ...vault, status: vault.status === "deleting" ? "available" : vault.status });
  else if (sealedAt <= stateAt) return;
  else if ((vault.updatedAt ?? 0) > (found.updatedAt ?? 0)) await tables.vaults.update(vault.id, vault);
  if (isLive === true) return;
  if (sealedAt <= Number((await tables.meta.get(bindingsKey(vault.id))) ?? 0)) return;
  await tables.meta.set(bindingsKey(vault.id), String(sealedAt));
  for (const { resourceId } of await tables.vaults.resourcesOf(vault.id)) await tables.vaults.unbind(vault.id, resourceId);
  for (const binding of bindings) await rebind(tables, binding);
}

/** A resource is bound to one vault at most: the one that is told of last. */
async function rebind(tables: Tables, binding: VaultResource): Promise<void> {
  const before = await tables.vaults.vaultOf(binding.resourceId);
  if (before !== undefined) await tables.vaults.unbind(before.vaultId, before.resourceId);
  await tables.vaults.bind(binding);
}

async function addResources(tables: Tables, document: BackupDocument, sealedAt: TimestampUs, { stateAt, settings }: Known): Promise<void> {
  if (sealedAt <= stateAt) return;
  for (const resource of [document.resource, document.server]) {
    if (resource === null) continue;
    const found = await tables.resources.get(resource.projectId, resource.id);
    const row = await asFound(resource, settings);
    if (found === undefined) await tables.resources.insert(row);
    else if ((row.updatedAt ?? 0) > (found.updatedAt ?? 0)) {
      const { id: _, type: __, projectId: ___, ...patch } = row;
      await tables.resources.update(row.id, patch);
    }
  }
}

/** What can be told only when every root object was seen: server backups, and failed ones. Safe to repeat. */
export async function finishProject(tables: Tables, projectId: ProjectId, { state }: Known): Promise<void> {
  for (const backup of (state?.failed ?? []).toReversed()) await addFailed(tables, backup, state!);
  for (const server of await serverBackups(tables, projectId)) await completeServer(tables, server.id);
  for (const { id, ...patch } of state?.amended ?? []) {
    const isThere = (await tables.backups.get(projectId, id)) !== undefined && (await tables.vaults.get(projectId, patch.vaultId)) !== undefined;
    if (isThere) await tables.backups.amend(projectId, id, patch);
  }
  for (const member of state?.members ?? []) {
    const backup = await tables.backups.get(projectId, member.backupId);
    const isThere = (await tables.members.get(member.backupId, member.destProjectId)) !== undefined;
    if (backup !== undefined && !isThere) await tables.members.insert(member);
  }
  await tables.policies.recountFull(projectId);
  for (const vault of (await tables.vaults.list(projectId, {}, { limit: 1_000_000, offset: 0 })).items)
    await tables.meta.remove(bindingsKey(vault.id));
}

/** When every project is there: a share whose receiver's vault did not come back waits for another answer. Safe to repeat. */
export async function settleShares(tables: Tables, projectId: ProjectId): Promise<void> {
  for (const member of await tables.members.ofOwner(projectId)) {
    if (member.vaultId === null || (await tables.vaults.get(member.destProjectId, member.vaultId)) !== undefined) continue;
    await tables.members.update(member.id, { status: "pending", vaultId: null });
  }
}

/** A server backup is available when the roots of all its disks are there. Tells whether they are. */
export async function completeServer(tables: Tables, serverId: Id): Promise<boolean> {
  const children = await tables.backups.children(serverId);
  if (children.length === 0 || children.some((child) => child.rootKey === null || child.statistics === null)) return false;
  const disks = children.map((child) => ({
    statistics: child.statistics!,
    protectedAt: child.protectedAt ?? child.createdAt,
    sealedAt: child.updatedAt ?? child.createdAt,
    incremental: child.incremental,
  }));
  await tables.backups.update(serverId, { ...serverPatch(disks), status: "available", failReason: null });
  return true;
}

async function addFailed(tables: Tables, backup: Backup, state: ProjectState): Promise<void> {
  const found = await tables.backups.get(backup.projectId, backup.id);
  if (found?.status === "available") return;
  const checkpoint = state.checkpoints.find(({ id }) => id === backup.checkpointId);
  const hasCheckpoint = (await tables.checkpoints.get(backup.projectId, backup.checkpointId)) !== undefined;
  const hasParent = backup.parentId === null || state.failed.some(({ id }) => id === backup.parentId);
  if ((!hasCheckpoint && checkpoint === undefined) || !hasParent || (await tables.vaults.get(backup.projectId, backup.vaultId)) === undefined) return;
  if (!hasCheckpoint) await tables.checkpoints.insert(checkpoint!);
  if (found === undefined) await tables.backups.insert(backup);
  else await tables.backups.update(backup.id, backup);
}

async function serverBackups(tables: Tables, projectId: ProjectId): Promise<Backup[]> {
  const found: Backup[] = [];
  for (;;) {
    const filter = { resourceType: "OS::Nova::Server" as const };
    const { items, count } = await tables.backups.list(projectId, filter, { limit: 1000, offset: found.length });
    found.push(...items.map(({ backup }) => backup));
    if (items.length === 0 || found.length >= count) return found;
  }
}
