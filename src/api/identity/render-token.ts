import { createHash } from "node:crypto";
import { naiveUtc } from "#model/timestamps.ts";
import type { TimestampUs } from "#model/ids.ts";
import type { Principal } from "../auth/principal.ts";
import type { Identity } from "./identity.ts";
import { serviceCatalog } from "./service-catalog.ts";

/** Keystone's times: UTC with a `Z`. */
export const zulu = (us: TimestampUs): string => `${naiveUtc(us)}Z`;

/** Roles have names only; their ids are made from them. */
export const renderRole = (name: string): { id: string; name: string } => ({
  id: createHash("sha256").update(`role ${name}`).digest("hex").slice(0, 32),
  name,
});

export interface Place {
  baseUrl: string;
  hostRules: boolean;
}

export const catalogFor = (identity: Identity, principal: Principal, place: Place): object[] =>
  serviceCatalog({
    ...place,
    region: identity.context.settings.region,
    projectId: principal.scope.kind === "project" ? principal.scope.projectId : undefined,
  });

/** The body of a token: who, for what, until when, and where the services are. */
export async function renderToken(identity: Identity, principal: Principal, place: Place, withCatalog: boolean): Promise<object> {
  const tables = identity.context.catalog.identity;
  const { scope, token, roles } = principal;
  const domainNamed = async (id: string): Promise<{ id: string; name: string }> => (await tables.getDomain(id)) ?? { id, name: id };
  const userDomain = await domainNamed(principal.domainId);
  let scoped: object = {};
  if (scope.kind === "project") {
    const project = await tables.getProject(scope.projectId);
    const domain = await domainNamed(project?.domainId ?? principal.domainId);
    scoped = { project: { id: scope.projectId, name: project?.name ?? scope.projectId, domain }, is_domain: false };
  } else if (scope.kind === "domain") scoped = { domain: await domainNamed(scope.domainId) };
  return {
    token: {
      methods: token?.methods ?? [],
      user: { id: principal.userId, name: principal.userName, domain: userDomain, password_expires_at: null },
      ...scoped,
      ...(scope.kind === "unscoped" ? {} : { roles: roles.map(renderRole) }),
      audit_ids: token === undefined ? [] : [Buffer.from(token.id.replaceAll("-", ""), "hex").toString("base64url")],
      issued_at: zulu(token?.issuedAt ?? 0),
      expires_at: zulu(token?.expiresAt ?? 0),
      ...(withCatalog ? { catalog: catalogFor(identity, principal, place) } : {}),
    },
  };
}
