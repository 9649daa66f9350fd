import type { Project } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";

/** The projects that a caller may know of: an administrator all, others those in which they have a role. */
export function visibleProjects(context: Context, caller: Caller, filter: { domainId?: string } = {}): Promise<Project[]> {
  const among = caller.roles.includes("admin") ? {} : { userId: caller.userId };
  return context.catalog.identity.listProjects({ ...filter, ...among });
}
