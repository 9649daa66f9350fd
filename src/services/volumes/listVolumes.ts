import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { ResourceFilter, Page, Sort, Listed } from "#catalog/tables.ts";
import type { Volume } from "#model/resource.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listVolumes(_context: Context, _caller: Caller, _input: { filter: Omit<ResourceFilter, "type">; page: Page; sort?: Sort<"created_at" | "name" | "status" | "id" | "size"> }): Promise<Listed<Volume>> {
  throw new InvariantError("listVolumes is being written");
}
