import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Resource, Server, ServerDisk } from "#model/resource.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { autoBind } from "../support/auto-bind.ts";
import { checkLooseDescription, checkLooseName } from "../support/checks.ts";
import { findResource } from "../support/find.ts";
import { attachDisks, checkArchitecture } from "../support/server-disks.ts";
import { checkTags, maxResourceTags } from "../support/tags.ts";
import { hasOpenTasks, takeVolume } from "../support/volume-rows.ts";

export interface UpdateResourceInput {
  resourceId: Id;
  name?: string;
  description?: string | null;
  /** Replaces what there is. A vault may bind the resource for its new tags; none lets it go for those that it had. */
  tags?: Tag[];
  /** Of a server. */
  architecture?: string | null;
  /** Of a server: the whole new set. */
  disks?: { volumeId: Id; systemDisk: boolean }[];
}

/** @throws DomainError `resourceNotFound`, `invalidRequest`, `conflict` (busy, or a disk of another server or vault), `volumeNotFound` */
export async function updateResource(context: Context, caller: Caller, input: UpdateResourceInput): Promise<Resource> {
  const now = context.clock.nowUs();
  return context.catalog.transaction(async (tables) => {
    const resource = await findResource(tables, caller, input.resourceId);
    if (resource.type !== "OS::Nova::Server" && (input.disks !== undefined || input.architecture !== undefined)) {
      const field = input.disks === undefined ? "architecture" : "disks";
      throw new DomainError("invalidRequest", `${field}: only a server has it`, { field });
    }
    const common = {
      ...(input.name === undefined ? {} : { name: checkLooseName(input.name, "name") }),
      ...(input.description === undefined ? {} : { description: checkLooseDescription(input.description, "description") }),
      ...(input.tags === undefined ? {} : { tags: checkTags(input.tags, "tags", maxResourceTags) }),
      updatedAt: now,
    };
    if (resource.type === "OS::Nova::Server") {
      const disks = input.disks?.map(({ volumeId, systemDisk }) => ({ volumeId, systemDisk }));
      const sizeGib = disks === undefined ? resource.sizeGib : await replaceDisks(tables, caller, resource, disks, now);
      await tables.resources.update(resource.id, {
        ...common,
        ...(disks === undefined ? {} : { disks, sizeGib }),
        ...(input.architecture === undefined ? {} : { architecture: checkArchitecture(input.architecture) }),
      });
    } else {
      await tables.resources.update(resource.id, common);
    }
    const updated = await findResource(tables, caller, resource.id);
    if (input.tags !== undefined) await autoBind(context, tables, updated);
    return updated;
  });
}

async function replaceDisks(tables: Tables, caller: Caller, server: Server, disks: ServerDisk[], now: TimestampUs): Promise<number> {
  if (await hasOpenTasks(tables, server.id)) throw new DomainError("conflict", `Server ${server.id} is busy; its disks cannot be changed now.`);
  const had = server.disks.map((disk) => disk.volumeId);
  const sizeGib = await attachDisks(tables, caller, disks, now, had);
  for (const volumeId of had.filter((id) => !disks.some((disk) => disk.volumeId === id))) {
    const volume = await tables.resources.getVolume(caller.projectId, volumeId);
    if (volume !== undefined) await takeVolume(tables, volume, ["in-use"], "available", now);
  }
  const bound = await tables.vaults.vaultOf(server.id);
  for (const { volumeId } of bound === undefined ? [] : disks) {
    if (bound!.excludeVolumes.includes(volumeId)) continue;
    if ((await tables.vaults.vaultOf(volumeId)) !== undefined) {
      throw new DomainError("diskInTwoVaults", `Volume ${volumeId} is already protected by itself; it cannot be protected with the server too.`);
    }
  }
  return sizeGib;
}
