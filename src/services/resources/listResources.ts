import type { Listed, Page, ResourceFilter } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Resource } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";

export async function listResources(context: Context, caller: Caller, input: { filter: ResourceFilter; page: Page }): Promise<Listed<Resource>> {
  return context.catalog.resources.list(caller.projectId, withinReach(caller, input.filter), input.page);
}
