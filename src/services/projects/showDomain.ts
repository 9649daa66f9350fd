import type { Domain, Project } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { ProjectId } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { visibleProjects } from "./visible-projects.ts";

/** The project and the domain that it is in. @throws DomainError `projectNotFound`, also where the caller may not know of it */
export async function showDomain(context: Context, caller: Caller, input: { projectId: ProjectId }): Promise<{ domain: Domain; project: Project }> {
  const project = (await visibleProjects(context, caller)).find(({ id }) => id === input.projectId);
  const domain = project && (await context.catalog.identity.getDomain(project.domainId));
  if (project === undefined || domain === undefined)
    throw new DomainError("projectNotFound", `source_project_id: there is no project ${JSON.stringify(input.projectId.slice(0, 64))}`, {
      field: "source_project_id",
    });
  return { domain, project };
}
