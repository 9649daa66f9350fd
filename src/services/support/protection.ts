import type { Tables } from "#catalog/tables.ts";
import type { Id } from "#model/ids.ts";
import type { Task } from "#model/task.ts";
import type { ProtectStatus, Vault, VaultResource } from "#model/vault.ts";
import type { VaultResourceView, VaultView } from "../views.ts";
import { restoreInput } from "./task-input.ts";

/** What the open tasks of a resource say about its protection; undefined when none does. A restore of its backup onto another one says nothing. */
function fromTasks(tasks: readonly Task[], resourceId: Id): ProtectStatus | undefined {
  if (tasks.some((task) => task.type === "remove_resource" || task.type === "vault_delete")) return "removing";
  if (tasks.some((task) => task.type === "restore" && restoreInput(task).targetResourceId === resourceId)) return "restoring";
  if (tasks.some((task) => task.type === "backup")) return "protecting";
  return undefined;
}

/** What the disks of a resource say about it; those that are not backed up with it say nothing. */
async function fromDisks(tables: Tables, { projectId }: Vault, { resourceId, excludeVolumes }: VaultResource): Promise<ProtectStatus | undefined> {
  const resource = await tables.resources.get(projectId, resourceId);
  if (resource === undefined) return undefined;
  const volumes = resource.type === "OS::Cinder::Volume" ? [resource] : [];
  for (const { volumeId } of resource.type === "OS::Nova::Server" ? resource.disks : []) {
    const volume = excludeVolumes.includes(volumeId) ? undefined : await tables.resources.getVolume(projectId, volumeId);
    if (volume !== undefined) volumes.push(volume);
  }
  if (volumes.some((volume) => volume.status === "restoring-backup")) return "restoring";
  return volumes.some((volume) => volume.status === "backing-up") ? "protecting" : undefined;
}

/** What is going on with a resource; undefined when nothing is. */
async function busyStatusOf(tables: Tables, vault: Vault, bound: VaultResource): Promise<ProtectStatus | undefined> {
  const { resourceId } = bound;
  return (await fromDisks(tables, vault, bound)) ?? fromTasks(await tables.tasks.openTasks({ resourceId }), resourceId);
}

/** The resources of a vault, as it and its restore points show them. `fallback` names what is no longer there. */
export async function viewResources(
  tables: Tables,
  vault: Vault,
  bound: readonly VaultResource[],
  fallback?: (resourceId: string) => { name: string; sizeGib: number } | undefined,
): Promise<VaultResourceView[]> {
  const views: VaultResourceView[] = [];
  for (const each of bound) {
    const { resourceId, type, excludeVolumes, suspended } = each;
    const { resource, mayBeBusy, newestStatus, backupCount, storedBytes } = await tables.vaults.protectionOf(vault, resourceId);
    const known = resource ?? fallback?.(resourceId) ?? (await asBackedUp(tables, vault, resourceId));
    // Derived, never stored: what is going on, else how the newest backup in the vault ended.
    const busy = vault.status === "deleting" ? "removing" : mayBeBusy ? await busyStatusOf(tables, vault, each) : undefined;
    views.push({
      id: resourceId,
      type,
      name: known?.name ?? "",
      sizeGib: known?.sizeGib ?? 0,
      protectStatus: busy ?? (newestStatus === "error" ? "error" : "available"),
      backupSizeBytes: storedBytes,
      backupCount,
      excludeVolumes,
      suspended,
    });
  }
  return views;
}

/** What is no longer there stays in its vault until it is taken out, under the name that its newest backup knows. */
async function asBackedUp(tables: Tables, vault: Vault, resourceId: Id): Promise<{ name: string; sizeGib: number } | undefined> {
  const newest = await tables.backups.list(vault.projectId, { vaultId: vault.id, resourceId, parentId: null }, { limit: 1, offset: 0 });
  const backup = newest.items[0]?.backup;
  return backup && { name: backup.resourceName, sizeGib: backup.resourceSizeGib };
}

export async function viewVault(tables: Tables, vault: Vault): Promise<VaultView> {
  const [usage, bound] = [await tables.vaults.usage(vault.id), await tables.vaults.resourcesOf(vault.id)];
  return { vault, usage, resources: await viewResources(tables, vault, bound) };
}
