import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import type { CheckpointStatus } from "#model/checkpoint.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Vault } from "#model/vault.ts";
import type { CheckpointView, VaultResourceView } from "../views.ts";
import { findVault } from "./find.ts";
import { viewResources } from "./protection.ts";

/** A restore point is what its backups are. */
export function checkpointStatus(backups: readonly Pick<Backup, "status">[]): CheckpointStatus {
  const any = (...statuses: Backup["status"][]): boolean => backups.some((backup) => statuses.includes(backup.status));
  if (any("waiting_protect", "protecting")) return "protecting";
  if (backups.length > 0 && backups.every((backup) => backup.status === "waiting_delete" || backup.status === "deleting")) return "deleting";
  return any("error") ? "error" : "available";
}

export async function viewCheckpoint(tables: Tables, caller: Pick<Caller, "projectId">, id: Id): Promise<CheckpointView> {
  const checkpoint = await tables.checkpoints.get(caller.projectId, id);
  if (checkpoint === undefined) throw new DomainError("checkpointNotFound", `There is no restore point ${id} in this project.`);
  const vault = await findVault(tables, caller, checkpoint.vaultId);
  const backups = (await tables.backups.ofCheckpoint(id)).filter((backup) => backup.parentId === null);
  const resources: VaultResourceView[] = [];
  // Resources that went to another vault took their backups with them.
  for (const vaultId of new Set(backups.map((backup) => backup.vaultId))) {
    const inVault = backups.filter((backup) => backup.vaultId === vaultId);
    resources.push(...(await viewOfVault(tables, vaultId === vault.id ? vault : await findVault(tables, caller, vaultId), inVault)));
  }
  const place = (resourceId: Id): number => backups.findIndex((backup) => backup.resourceId === resourceId);
  return { checkpoint, status: checkpointStatus(backups), vault, resources: resources.toSorted((a, b) => place(a.id) - place(b.id)) };
}

/** The resources of those backups of a checkpoint that are in one vault. */
async function viewOfVault(tables: Tables, vault: Vault, backups: readonly Backup[]): Promise<VaultResourceView[]> {
  const bound = await tables.vaults.resourcesOf(vault.id);
  return viewResources(
    tables,
    vault,
    backups.map(
      (backup) =>
        bound.find((each) => each.resourceId === backup.resourceId) ?? {
          vaultId: vault.id,
          resourceId: backup.resourceId,
          type: backup.resourceType,
          excludeVolumes: [],
          suspended: false,
        },
    ),
    (resourceId) => {
      const backup = backups.find((each) => each.resourceId === resourceId);
      return backup && { name: backup.resourceName, sizeGib: backup.resourceSizeGib };
    },
  );
}
