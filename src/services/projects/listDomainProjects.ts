import type { Project } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { visibleProjects } from "./visible-projects.ts";

/** Of a domain, the projects that the caller may know of; none where there is no such domain, so that names cannot be guessed. */
export async function listDomainProjects(context: Context, caller: Caller, input: { domainName: string }): Promise<Project[]> {
  const domain = await context.catalog.identity.findDomain(input.domainName);
  return domain === undefined ? [] : visibleProjects(context, caller, { domainId: domain.id });
}
