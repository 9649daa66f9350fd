import { Type } from "@sinclair/typebox";
import type { Principal } from "../auth/principal.ts";
import { HttpFailure } from "../http/failure.ts";
import { defineRoute, type Request, type Route } from "../http/route.ts";
import { principalIn } from "./asker.ts";
import { authSchema, proveUser, resolveScope } from "./auth-request.ts";
import type { Identity } from "./identity.ts";
import { catalogFor, renderToken } from "./render-token.ts";

const querystring = Type.Object({ nocatalog: Type.Optional(Type.Any()) });

/** The token that a request is about: the caller's own, or anybody's for an administrator. */
async function subjectOf(identity: Identity, request: Request<unknown>, asker: Principal): Promise<{ text: string; principal: Principal }> {
  const text = request.headers["x-subject-token"];
  if (typeof text !== "string" || text === "") throw new HttpFailure(400, "X-Subject-Token: is required");
  let principal: Principal;
  try {
    principal = await identity.tokens.verify(text);
  } catch (error) {
    // The asker is known; it is the other token that does not exist any more.
    if (error instanceof HttpFailure && error.status === 401)
      throw new HttpFailure(404, "X-Subject-Token: could not find the token", { cause: error });
    throw error;
  }
  if (principal.userId !== asker.userId && !asker.roles.includes("admin")) throw new HttpFailure(403, "X-Subject-Token: is somebody else's");
  return { text, principal };
}

export function tokenRoutes(identity: Identity, hostRules: boolean): Route[] {
  const placeOf = ({ baseUrl }: Request<unknown>) => ({ baseUrl, hostRules });
  const shown = async (request: Request<unknown>) => {
    const { text, principal } = await subjectOf(identity, request, principalIn(request));
    return { text, body: await renderToken(identity, principal, placeOf(request), request.query["nocatalog"] === undefined) };
  };
  return [
    defineRoute({
      method: "POST",
      path: "/v3/auth/tokens",
      operation: "CreateToken",
      action: "identity:tokens:create",
      access: "public",
      successStatus: 201,
      schema: { querystring, body: authSchema },
      async handler(request) {
        const { auth } = request.body;
        const proven = await proveUser(identity, auth, request.address);
        const { user, methods, expiresAt } = proven;
        const { scope, roles } = await resolveScope(identity, auth, proven);
        const issued = await identity.tokens.issue(
          { userId: user.id, userName: user.name, domainId: user.domainId, scope, roles },
          methods,
          expiresAt,
          proven.bound?.credentialId,
        );
        return {
          provenAs: issued.principal,
          headers: { "x-subject-token": issued.text, vary: "X-Auth-Token" },
          body: await renderToken(identity, issued.principal, placeOf(request), request.query["nocatalog"] === undefined),
        };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v3/auth/tokens",
      operation: "ShowToken",
      action: "identity:tokens:get",
      successStatus: 200,
      schema: { querystring },
      async handler(request) {
        const { text, body } = await shown(request);
        return { headers: { "x-subject-token": text, vary: "X-Auth-Token" }, body };
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v3/auth/tokens",
      operation: "RevokeToken",
      action: "identity:tokens:delete",
      successStatus: 204,
      schema: {},
      async handler(request) {
        const { principal } = await subjectOf(identity, request, principalIn(request));
        await identity.tokens.revoke(principal);
        return {};
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v3/auth/catalog",
      operation: "ShowServiceCatalog",
      action: "identity:catalog:get",
      successStatus: 200,
      schema: {},
      handler: async (request) => ({
        body: { catalog: catalogFor(identity, principalIn(request), placeOf(request)), links: { self: request.baseUrl + request.url } },
      }),
    }),
  ];
}
