import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findResource } from "../support/find.ts";
import { isLocal } from "../support/paths.ts";
import { hasOpenTasks, takeVolume } from "../support/volume-rows.ts";

/**
 * Takes a server or a file volume out of the register. The operator's file and the disks of a server stay; the disks become `available`.
 * @throws DomainError `resourceNotFound`, `conflict` while it is bound to a vault or busy, `invalidRequest` for a volume of ours
 */
export async function removeResource(context: Context, caller: Caller, input: { resourceId: Id }): Promise<void> {
  const now = context.clock.nowUs();
  await context.catalog.transaction(async (tables) => {
    const resource = await findResource(tables, caller, input.resourceId);
    if (resource.type === "OS::Cinder::Volume" && isLocal(resource.locator)) {
      throw new DomainError("invalidRequest", `Volume ${resource.id} holds its bytes here: delete the volume instead.`);
    }
    const bound = await tables.vaults.vaultOf(resource.id);
    if (bound !== undefined)
      throw new DomainError("conflict", `Resource ${resource.id} is bound to vault ${bound.vaultId}; remove it from there first.`);
    if (await hasOpenTasks(tables, resource.id))
      throw new DomainError("conflict", `Resource ${resource.id} is busy; try again when its tasks are done.`);
    if (resource.type === "OS::Nova::Server") {
      for (const disk of resource.disks) {
        const volume = await tables.resources.getVolume(caller.projectId, disk.volumeId);
        if (volume !== undefined) await takeVolume(tables, volume, ["in-use"], "available", now);
      }
    } else {
      await takeVolume(tables, resource, ["available", "error", "error_restoring", "error_deleting"], "deleting", now);
    }
    await tables.resources.remove(resource.id);
  });
}
