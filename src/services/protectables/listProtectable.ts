import type { Listed, Page, ResourceFilter } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { type ProtectableView, protectableViewer } from "./viewProtectable.ts";

/** Registered resources of one type, newest first, each with whether it could be backed up now. */
export async function listProtectable(
  context: Context,
  caller: Caller,
  input: { filter: Omit<ResourceFilter, "allProjects"> & Required<Pick<ResourceFilter, "type">>; page: Page },
): Promise<Listed<ProtectableView>> {
  const { items, count } = await context.catalog.resources.list(caller.projectId, input.filter, input.page);
  const view = protectableViewer(context);
  const views: ProtectableView[] = [];
  for (const resource of items) views.push(await view(resource));
  return { items: views, count };
}
