import type { ResourceUsage } from "#catalog/backup-usage.ts";
import type { Listed } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";

export interface NamedUsage extends ResourceUsage {
  /** As it is called now or, where it is gone, as its newest backup says. */
  resourceName: string;
}

/** What the backups of each resource that has any take in the store, by id of the resource. */
export async function showStorageUsage(
  context: Context,
  caller: Caller,
  input: { filter: { resourceId?: Id; resourceType?: string }; page: { limit: number; offset: number } },
): Promise<Listed<NamedUsage>> {
  const { catalog } = context;
  const { items, count } = await catalog.backups.usageByResource(caller.projectId, input.filter, input.page);
  const named: NamedUsage[] = [];
  for (const usage of items) {
    const resource = await catalog.resources.get(caller.projectId, usage.resourceId);
    named.push({ ...usage, resourceName: resource?.name ?? (await lastName(context, caller, usage.resourceId)) });
  }
  return { items: named, count };
}

async function lastName({ catalog }: Context, { projectId }: Caller, resourceId: Id): Promise<string> {
  const newest = await catalog.backups.list(projectId, { resourceId, parentId: null }, { limit: 1, offset: 0 });
  return newest.items[0]?.backup.resourceName ?? "";
}
