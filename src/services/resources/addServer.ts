import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Server, ServerDisk } from "#model/resource.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { autoBind } from "../support/auto-bind.ts";
import { checkLooseDescription, checkLooseName, checkZone } from "../support/checks.ts";
import { attachDisks, checkArchitecture } from "../support/server-disks.ts";
import { checkTags, maxResourceTags } from "../support/tags.ts";

export interface AddServerInput {
  name: string;
  description?: string | null;
  /** In device order. */
  disks: { volumeId: Id; systemDisk: boolean }[];
  architecture?: string | null;
  availabilityZone?: string;
  tags?: Tag[];
}

/**
 * Registers a set of volumes as a server. Its disks become `in-use`.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids`, `conflict` (disk of another server), `invalidRequest`
 */
export async function addServer(context: Context, caller: Caller, input: AddServerInput): Promise<Server> {
  const name = checkLooseName(input.name, "name");
  const description = checkLooseDescription(input.description, "description");
  const architecture = checkArchitecture(input.architecture);
  const availabilityZone = checkZone(input.availabilityZone ?? context.settings.zone, "availabilityZone");
  const tags = checkTags(input.tags ?? [], "tags", maxResourceTags);
  const disks: ServerDisk[] = input.disks.map(({ volumeId, systemDisk }) => ({ volumeId, systemDisk }));
  const now = context.clock.nowUs();
  return context.catalog.transaction(async (tables) => {
    const sizeGib = await attachDisks(tables, caller, disks, now);
    const server: Server = {
      id: context.random.uuid(),
      projectId: caller.projectId,
      userId: caller.userId,
      name,
      description,
      type: "OS::Nova::Server",
      status: "active",
      architecture,
      disks,
      sizeGib,
      availabilityZone,
      tags,
      createdAt: now,
      updatedAt: null,
    };
    await tables.resources.insert(server);
    await autoBind(context, tables, server);
    return server;
  });
}
