import { defineRoute, type Answer, type Request } from "../http/route.ts";

function version(request: Request<unknown>): object {
  const path = request.url.split("?", 1)[0] ?? "/";
  const prefix = path === "/identity" || path.startsWith("/identity/") ? "/identity" : "";
  return {
    id: "v3.14",
    status: "stable",
    updated: "2020-04-07T00:00:00Z",
    links: [{ rel: "self", href: `${request.baseUrl}${prefix}/v3/` }],
    "media-types": [{ base: "application/json", type: "application/vnd.openstack.identity-v3+json" }],
  };
}

const common = { method: "GET", access: "public", schema: {} } as const;

/** The version documents: clients send their logins where the `self` link leads. */
export const discoveryRoutes = [
  defineRoute({
    ...common,
    path: "",
    operation: "ListIdentityVersions",
    action: "identity:versions:list",
    successStatus: 300,
    async handler(request): Promise<Answer> {
      return {
        headers: { location: `${request.baseUrl}${request.url.startsWith("/identity") ? "/identity" : ""}/v3/` },
        body: { versions: { values: [version(request)] } },
      };
    },
  }),
  defineRoute({
    ...common,
    path: "/v3",
    operation: "ShowIdentityVersion",
    action: "identity:versions:get",
    successStatus: 200,
    handler: async (request): Promise<Answer> => ({ body: { version: version(request) } }),
  }),
];
