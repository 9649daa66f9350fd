import type { Listed, Page, ResourceFilter, Sort } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";

export interface ListVolumesInput {
  filter: Omit<ResourceFilter, "type">;
  page: Page;
  sort?: Sort<"created_at" | "name" | "status" | "id" | "size">;
}

export async function listVolumes(context: Context, caller: Caller, input: ListVolumesInput): Promise<Listed<Volume>> {
  const filter = { ...withinReach(caller, input.filter), type: "OS::Cinder::Volume" as const };
  const listed = await context.catalog.resources.list(caller.projectId, filter, input.page, input.sort);
  return { items: listed.items.filter((resource) => resource.type === "OS::Cinder::Volume"), count: listed.count };
}
