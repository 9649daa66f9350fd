import type { Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { VaultResource } from "#model/vault.ts";

/** A resource of one run, as its request names it. */
export interface RunResource {
  id: Id;
  type: string;
  /** Of a server: volumes that are left out of this run, beside those that its vault leaves out. */
  excludeVolumes?: Id[];
  /** Of a server: only these volumes, of those that its vault does not leave out. */
  includeVolumes?: Id[];
}

/**
 * The vault's resources that a run is of, with the volumes that it leaves out; all of them, if the request names none.
 * @throws DomainError `resourceNotInVault`, `nothingToBackUp`, `invalidRequest`
 */
export async function chooseResources(
  tables: Tables,
  projectId: ProjectId,
  bound: readonly VaultResource[],
  { resourceIds, resourceDetails }: { resourceIds?: readonly Id[]; resourceDetails?: readonly RunResource[] },
): Promise<VaultResource[]> {
  const named = resourceIds === undefined && (resourceDetails?.length ?? 0) === 0 ? undefined : [...(resourceIds ?? [])];
  for (const detail of resourceDetails ?? []) named?.push(detail.id);
  const foreign = named?.find((id) => !bound.some((each) => each.resourceId === id));
  if (foreign !== undefined) throw new DomainError("resourceNotInVault", `resources: ${foreign} is not in the vault`, { field: "resources" });
  const chosen = named === undefined ? [...bound] : bound.filter((each) => named.includes(each.resourceId));
  if (chosen.length === 0) throw new DomainError("nothingToBackUp", "There is no resource to back up.");
  const narrowed: VaultResource[] = [];
  for (const binding of chosen) {
    const detail = resourceDetails?.find((each) => each.id === binding.resourceId);
    narrowed.push(detail === undefined ? binding : await narrow(tables, projectId, binding, detail));
  }
  return narrowed;
}

async function narrow(tables: Tables, projectId: ProjectId, binding: VaultResource, detail: RunResource): Promise<VaultResource> {
  const bad = (says: string): DomainError => new DomainError("invalidRequest", `resource_details: ${says}`, { field: "resource_details" });
  if (detail.type !== binding.type) throw bad(`${detail.id} is not of type ${detail.type.slice(0, 64)} but ${binding.type}`);
  const { excludeVolumes = [], includeVolumes } = detail;
  const volumes = [...excludeVolumes, ...(includeVolumes ?? [])];
  if (volumes.length === 0) return binding;
  if (binding.type !== "OS::Nova::Server") throw bad(`${detail.id} is no server: it has no volumes to choose from`);
  const disks = (await tables.resources.getServer(projectId, binding.resourceId))?.disks.map((disk) => disk.volumeId);
  // A server that is gone is left out of the run with that reason.
  if (disks === undefined) return binding;
  const foreign = volumes.find((id) => !disks.includes(id));
  if (foreign !== undefined) throw bad(`${foreign} is not a disk of server ${detail.id}`);
  const unnamed = includeVolumes === undefined ? [] : disks.filter((id) => !includeVolumes.includes(id));
  return { ...binding, excludeVolumes: [...new Set([...binding.excludeVolumes, ...excludeVolumes, ...unnamed])] };
}
