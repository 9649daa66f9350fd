import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Resource } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { findResource } from "../support/find.ts";

/** @throws DomainError `resourceNotFound` */
export async function showResource(context: Context, caller: Caller, input: { resourceId: Id }): Promise<Resource> {
  return findResource(context.catalog, caller, input.resourceId);
}
