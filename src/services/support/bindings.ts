import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { Id } from "#model/ids.ts";
import type { Resource, ResourceType, Server, Volume } from "#model/resource.ts";
import type { Vault, VaultResource } from "#model/vault.ts";

/** A resource as a request names it. */
export interface VaultResourceInput {
  id: Id;
  type: ResourceType;
  name?: string;
  /** Of a server: volumes that are not backed up. */
  excludeVolumes?: Id[];
}

/** Most resources that one vault may hold. */
export const maxVaultResources = 256;

/**
 * Binds resources to a vault after checking every one of them: all or none.
 * @throws DomainError `vaultTooManyResources`, `vaultTypeMismatch`, `resourceInOtherVault`, `resourceGivenTwice`, `volumeAlreadyInVault`,
 * `serverAlreadyInVault`, `diskInTwoVaults`, `volumeNotFound`, `serverNotFound`, `vaultTakesNoResources`, `invalidRequest`
 */
export async function bindResources(
  tables: Tables,
  caller: Pick<Caller, "projectId">,
  vault: Vault,
  resources: readonly VaultResourceInput[],
): Promise<void> {
  if (vault.protectType !== "backup" && resources.length > 0) {
    throw new DomainError("vaultTakesNoResources", `Vault ${vault.id} holds replicas: resources cannot be bound to it.`);
  }
  const bound = await tables.vaults.resourcesOf(vault.id);
  if (new Set(resources.map((resource) => resource.id)).size < resources.length) {
    throw new DomainError("resourceGivenTwice", "resources: the same resource is given twice", { field: "resources" });
  }
  if (bound.length + resources.length > maxVaultResources) {
    throw new DomainError("vaultTooManyResources", `resources: a vault holds at most ${maxVaultResources}`, { field: "resources" });
  }
  for (const input of resources) {
    if (objectTypeOf[input.type] !== vault.objectType) {
      throw new DomainError("vaultTypeMismatch", `resources: ${input.type} does not fit a vault of type ${vault.objectType}`, { field: "resources" });
    }
    const resource = await resourceFor(tables, caller, input);
    await refuseBound(tables, vault, resource);
    if (resource.type === "OS::Nova::Server") await refuseServer(tables, resource, input.excludeVolumes ?? []);
    else await refuseVolume(tables, resource, input);
    await tables.vaults.bind({
      vaultId: vault.id,
      resourceId: resource.id,
      type: resource.type,
      excludeVolumes: input.excludeVolumes ?? [],
      suspended: false,
    });
  }
}

/**
 * What a request names of a vault's resources, as it is bound; none may be on its way out.
 * @throws DomainError `resourceNotInVault`, `resourcesBeingRemoved`
 */
export async function refuseUnlessBound(tables: Tables, vault: Vault, resourceIds: readonly Id[]): Promise<VaultResource[]> {
  const bound = await tables.vaults.resourcesOf(vault.id);
  const found: VaultResource[] = [];
  for (const resourceId of resourceIds) {
    const binding = bound.find((each) => each.resourceId === resourceId);
    if (binding === undefined)
      throw new DomainError("resourceNotInVault", `resource_ids: ${resourceId} is not in the vault`, { field: "resource_ids" });
    const open = await tables.tasks.openTasks({ resourceId });
    if (open.some((task) => task.type === "remove_resource")) {
      throw new DomainError("resourcesBeingRemoved", `resource_ids: ${resourceId} is being removed already`, { field: "resource_ids" });
    }
    found.push(binding);
  }
  return found;
}

async function resourceFor(tables: Tables, caller: Pick<Caller, "projectId">, input: VaultResourceInput): Promise<Resource> {
  const found =
    input.type === "OS::Nova::Server"
      ? await tables.resources.getServer(caller.projectId, input.id)
      : await tables.resources.getVolume(caller.projectId, input.id);
  if (found !== undefined) return found;
  const [code, noun] = input.type === "OS::Nova::Server" ? (["serverNotFound", "server"] as const) : (["volumeNotFound", "volume"] as const);
  throw new DomainError(code, `resources: there is no ${noun} ${input.id} in this project`, { field: "resources" });
}

async function refuseBound(tables: Tables, vault: Vault, resource: Resource): Promise<void> {
  const binding = await tables.vaults.vaultOf(resource.id);
  if (binding === undefined) return;
  if (binding.vaultId !== vault.id) {
    throw new DomainError("resourceInOtherVault", `resources: ${resource.id} is bound to another vault already`, { field: "resources" });
  }
  const code = resource.type === "OS::Nova::Server" ? "serverAlreadyInVault" : "volumeAlreadyInVault";
  throw new DomainError(code, `resources: ${resource.id} is bound to this vault already`, { field: "resources" });
}

/** What speaks against binding a resource to any vault, with all its disks. @throws DomainError as {@link bindResources} */
export async function refuseUnbindable(tables: Tables, resource: Resource): Promise<void> {
  if (resource.type === "OS::Nova::Server") await refuseServer(tables, resource, []);
  else await refuseVolume(tables, resource, { id: resource.id, type: resource.type });
}

/** A disk is protected once: with its server or by itself. */
async function refuseServer(tables: Tables, server: Server, excluded: readonly Id[]): Promise<void> {
  const foreign = excluded.find((id) => !server.disks.some((disk) => disk.volumeId === id));
  if (foreign !== undefined) {
    throw new DomainError("invalidRequest", `exclude_volumes: ${foreign} is not a disk of server ${server.id}`, { field: "exclude_volumes" });
  }
  for (const { volumeId } of server.disks) {
    if (!excluded.includes(volumeId) && (await tables.vaults.vaultOf(volumeId)) !== undefined) {
      throw new DomainError("diskInTwoVaults", `resources: disk ${volumeId} of server ${server.id} is protected by itself already`, {
        field: "resources",
      });
    }
  }
}

async function refuseVolume(tables: Tables, volume: Volume, input: VaultResourceInput): Promise<void> {
  if ((input.excludeVolumes?.length ?? 0) > 0) {
    throw new DomainError("invalidRequest", "exclude_volumes: only a server has volumes to exclude", { field: "exclude_volumes" });
  }
  if (["creating", "deleting", "error", "error_deleting"].includes(volume.status)) {
    throw new DomainError("volumeStatusForbids", `resources: volume ${volume.id} is ${volume.status}`, { field: "resources" });
  }
  for (const server of await tables.resources.serversOf(volume.id)) {
    const binding = await tables.vaults.vaultOf(server.id);
    if (binding !== undefined && !binding.excludeVolumes.includes(volume.id)) {
      throw new DomainError("diskInTwoVaults", `resources: volume ${volume.id} is protected with its server ${server.id} already`, {
        field: "resources",
      });
    }
  }
}
