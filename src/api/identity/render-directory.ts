import type { Domain, Project, User } from "#catalog/tables.ts";
import type { Request } from "../http/route.ts";

/** Where an item of its own is, at the same service as the request came in by. */
export function selfLink(request: Request<unknown>, noun: string, id: string): { self: string } {
  const prefix = request.url.startsWith("/identity/") ? "/identity" : "";
  return { self: `${request.baseUrl}${prefix}/v3/${noun}/${encodeURIComponent(id)}` };
}
export const listLinks = (request: Request<unknown>) => ({ self: request.baseUrl + request.url, previous: null, next: null });

export const renderProject = (request: Request<unknown>, { id, name, domainId, description, enabled }: Project): object => ({
  id,
  name,
  domain_id: domainId,
  parent_id: domainId,
  is_domain: false,
  description,
  enabled,
  tags: [],
  options: {},
  links: selfLink(request, "projects", id),
});
export const renderDomain = (request: Request<unknown>, { id, name }: Domain): object => ({
  id,
  name,
  description: "",
  enabled: true,
  tags: [],
  options: {},
  links: selfLink(request, "domains", id),
});
export const renderUser = (request: Request<unknown>, { id, name, domainId, enabled, defaultProjectId }: User): object => ({
  id,
  name,
  domain_id: domainId,
  enabled,
  ...(defaultProjectId === null ? {} : { default_project_id: defaultProjectId }),
  password_expires_at: null,
  options: {},
  links: selfLink(request, "users", id),
});
