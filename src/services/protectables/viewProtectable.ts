import { stat } from "node:fs/promises";
import { DomainError, type ErrorCode } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Resource, Volume } from "#model/resource.ts";
import type { VaultResource } from "#model/vault.ts";
import { readiness } from "../checkpoints/createCheckpoint.ts";
import type { Context } from "../context.ts";
import { refuseUnbindable } from "../support/bindings.ts";
import { pathOf } from "../support/paths.ts";
import { viewVault } from "../support/protection.ts";
import type { VaultView } from "../views.ts";

/** A registered resource, and whether it could be backed up at this moment. */
export interface ProtectableView {
  resource: Resource;
  /** Of a server: those of its disks that are there, in device order. */
  disks: Volume[];
  /** Why it cannot be backed up now; null when it can. */
  refusal: { code: ErrorCode; reason: string } | null;
  /** The vault that protects it, if one does. */
  vault: VaultView | null;
}

/** Views of resources; each vault that protects several of them is looked up once. */
export function protectableViewer(context: Context): (resource: Resource) => Promise<ProtectableView> {
  const vaults = new Map<Id, VaultView | null>();
  return async (resource) => {
    const { catalog } = context;
    const binding = await catalog.vaults.vaultOf(resource.id);
    let vault: VaultView | null = null;
    if (binding !== undefined) {
      vault = vaults.get(binding.vaultId) ?? (await vaultOf(context, resource, binding));
      vaults.set(binding.vaultId, vault);
    }
    const disks: Volume[] = [];
    for (const { volumeId } of resource.type === "OS::Nova::Server" ? resource.disks : []) {
      const disk = await catalog.resources.getVolume(resource.projectId, volumeId);
      if (disk !== undefined) disks.push(disk);
    }
    return { resource, disks, refusal: await refusalOf(context, resource, binding), vault };
  };
}

async function vaultOf({ catalog }: Context, { projectId }: Resource, { vaultId }: VaultResource): Promise<VaultView | null> {
  const vault = await catalog.vaults.get(projectId, vaultId);
  return vault === undefined ? null : viewVault(catalog, vault);
}

/** The checks of a backup that would begin now and, where no vault protects it yet, those of the binding before it. */
async function refusalOf(context: Context, resource: Resource, binding: VaultResource | undefined): Promise<ProtectableView["refusal"]> {
  const { catalog, settings } = context;
  const found = await readiness(catalog, resource, binding ?? { excludeVolumes: [] });
  if (!("disks" in found)) return found;
  try {
    if (binding === undefined) await refuseUnbindable(catalog, resource);
    for (const { volume } of found.disks) {
      const path = await pathOf(settings, volume.locator);
      await stat(path).catch((cause: unknown) => {
        throw new DomainError("sourceUnavailable", `The data of disk ${volume.id} cannot be reached.`, { cause });
      });
    }
    return null;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { code: error.code, reason: error.message.replace(/^(resources|path): /, "") };
  }
}
