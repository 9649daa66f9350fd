import { Type } from "@sinclair/typebox";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { listDomainProjects } from "#services/projects/listDomainProjects.ts";
import { listProjects } from "#services/projects/listProjects.ts";
import { showDomain } from "#services/projects/showDomain.ts";
import { defineRoute } from "../http/route.ts";
import { paramsSchema, querySchema } from "./schemas.ts";

/** Moving accounts from a cloud's older backup services is its operator's business. */
function refuseUnlessAdmin({ roles }: Caller): void {
  if (!roles.includes("admin")) throw new DomainError("forbidden", "only an administrator may ask for this");
}

/** Operations of the region as a whole: their paths name no project, and a token of any project will do. */
export const regionRoutes = [
  defineRoute({
    method: "GET",
    path: "/region-projects",
    operation: "ListProjects",
    action: "cbr:projects:list",
    access: "token",
    successStatus: 200,
    schema: {},
    async handler({ baseUrl }, caller, context) {
      const projects = (await listProjects(context, caller)).map(({ id, name, domainId, description, enabled }) => ({
        id,
        name,
        domain_id: domainId,
        description,
        enabled,
        is_domain: false,
        parent_id: domainId,
        links: { self: `${baseUrl}/v3/projects/${id}` },
      }));
      return { body: { projects, links: { self: `${baseUrl}/v3/auth/projects` } } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/domain/:domain_name/projects",
    operation: "ListDomainProjects",
    action: "cbr:projects:list",
    access: "token",
    successStatus: 200,
    schema: { params: paramsSchema("domain_name") },
    async handler({ params }, caller, context) {
      const found = await listDomainProjects(context, caller, { domainName: params["domain_name"] ?? "" });
      return { body: { projects: found.map(({ id, name }) => ({ project_id: id, project_name: name })) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/domain/:source_project_id",
    operation: "ShowDomain",
    action: "cbr:projects:get",
    access: "token",
    successStatus: 200,
    schema: { params: paramsSchema("source_project_id") },
    async handler({ params }, caller, context) {
      const { domain, project } = await showDomain(context, caller, { projectId: params["source_project_id"] ?? "" });
      return { body: { domain_id: domain.id, domain_name: domain.name, project_id: project.id, project_name: project.name } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/migrates",
    operation: "MigrateDomain",
    action: "cbr:admin:migrate",
    access: "token",
    successStatus: 200,
    schema: { body: Type.Object({ all_regions: Type.Boolean(), reservation: Type.Number({ minimum: 0, maximum: 1 }) }) },
    async handler(_request, caller) {
      refuseUnlessAdmin(caller);
      throw new DomainError("nothingToMigrate", "There is no older backup service here from which anything could be moved.");
    },
  }),
  defineRoute({
    method: "GET",
    path: "/migrates",
    operation: "ShowMigrateStatus",
    action: "cbr:admin:getMigration",
    access: "token",
    successStatus: 200,
    schema: { querystring: querySchema(["all_regions"]) },
    async handler(_request, caller) {
      refuseUnlessAdmin(caller);
      throw new DomainError("migrationNotFound", "Nothing has ever been moved here from an older backup service.");
    },
  }),
];
