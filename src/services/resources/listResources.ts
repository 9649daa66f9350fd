import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { ResourceFilter, Page, Listed } from "#catalog/tables.ts";
import type { Resource } from "#model/resource.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listResources(_context: Context, _caller: Caller, _input: { filter: ResourceFilter; page: Page }): Promise<Listed<Resource>> {
  throw new InvariantError("listResources is being written");
}
