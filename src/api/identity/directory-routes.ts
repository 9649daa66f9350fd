import { Type } from "@sinclair/typebox";
import { rolesOf } from "#services/context.ts";
import { defineRoute, type Answer, type Request, type Route } from "../http/route.ts";
import { parameter, textOf } from "./fields.ts";
import type { Identity } from "./identity.ts";
import { listLinks, renderDomain, renderProject, renderUser, selfLink } from "./render-directory.ts";
import { renderRole } from "./render-token.ts";
import { isAdmin, missing, principalIn, selfOrAdmin } from "./asker.ts";

const querystring = Type.Object({ name: parameter, domain_id: parameter });

/** Projects, users, domains, regions and roles: what clients look up before their first backup. */
export function directoryRoutes({ context }: Identity): Route[] {
  const tables = context.catalog.identity;
  const get = (path: string, operation: string, action: string, handler: (request: Request<unknown>) => Promise<Answer>): Route =>
    defineRoute({
      method: "GET",
      path,
      operation,
      action: `identity:${action}`,
      access: "token",
      successStatus: 200,
      schema: { querystring },
      handler,
    });

  const projects = async (request: Request<unknown>, filter: { userId?: string }): Promise<Answer> => {
    const name = textOf(request.query["name"]);
    const domainId = textOf(request.query["domain_id"]);
    const found = await tables.listProjects({ ...filter, ...(name === undefined ? {} : { name }), ...(domainId === undefined ? {} : { domainId }) });
    return { body: { projects: found.map((project) => renderProject(request, project)), links: listLinks(request) } };
  };
  const ownDomains = async (request: Request<unknown>): Promise<Answer> => {
    const domain = await tables.getDomain(principalIn(request).domainId);
    const name = textOf(request.query["name"]);
    const found = domain !== undefined && (name === undefined || name === domain.name) ? [domain] : [];
    return { body: { domains: found.map((one) => renderDomain(request, one)), links: listLinks(request) } };
  };
  const region = (request: Request<unknown>) => {
    const id = context.settings.region;
    return { id, description: "", parent_region_id: null, links: selfLink(request, "regions", id) };
  };

  return [
    get("/v3/projects", "ListProjects", "projects:list", (request) => {
      const principal = principalIn(request);
      return projects(request, isAdmin(principal) ? {} : { userId: principal.userId });
    }),
    get("/v3/projects/:id", "ShowProject", "projects:get", async (request) => {
      const { id = "" } = request.params;
      const principal = principalIn(request);
      const project = await tables.getProject(id);
      const isVisible = project !== undefined && (isAdmin(principal) || (await tables.listRoles(principal.userId, project.id)).length > 0);
      if (!isVisible) throw missing("project", id);
      return { body: { project: renderProject(request, project) } };
    }),
    get("/v3/auth/projects", "ListOwnProjects", "projects:list", (request) => projects(request, { userId: principalIn(request).userId })),
    get("/v3/auth/domains", "ListOwnDomains", "domains:list", ownDomains),
    get("/v3/domains", "ListDomains", "domains:list", ownDomains),
    get("/v3/domains/:id", "ShowDomain", "domains:get", async (request) => {
      const { id = "" } = request.params;
      const principal = principalIn(request);
      const domain = id === principal.domainId || isAdmin(principal) ? await tables.getDomain(id) : undefined;
      if (domain === undefined) throw missing("domain", id);
      return { body: { domain: renderDomain(request, domain) } };
    }),
    get("/v3/users/:user_id", "ShowUser", "users:get", async (request) => {
      const id = selfOrAdmin(request);
      const user = await tables.getUser(id);
      if (user === undefined) throw missing("user", id);
      return { body: { user: renderUser(request, user) } };
    }),
    get("/v3/users/:user_id/projects", "ListUserProjects", "projects:list", (request) => projects(request, { userId: selfOrAdmin(request) })),
    get("/v3/regions", "ListRegions", "regions:list", async (request) => ({ body: { regions: [region(request)], links: listLinks(request) } })),
    get("/v3/regions/:id", "ShowRegion", "regions:get", async (request) => {
      const { id = "" } = request.params;
      if (id !== context.settings.region) throw missing("region", id);
      return { body: { region: region(request) } };
    }),
    get("/v3/roles", "ListRoles", "roles:list", async (request) => {
      const name = textOf(request.query["name"]);
      const found = rolesOf(context)
        .names.filter((role) => name === undefined || name === role)
        .map(renderRole);
      return {
        body: { roles: found.map((role) => ({ ...role, domain_id: null, links: selfLink(request, "roles", role.id) })), links: listLinks(request) },
      };
    }),
    get("/v5/caller-identity", "ShowCallerIdentity", "caller:get", async (request) => {
      const { userId, userName, domainId } = principalIn(request);
      return { body: { account_id: domainId, principal_id: userId, principal_urn: `iam::${domainId}:user:${userName}` } };
    }),
  ];
}
