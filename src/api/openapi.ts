import type { TSchema } from "@sinclair/typebox";
import type { FastifyInstance } from "fastify";
import { listRoutes } from "./http/routes.ts";
import type { RegisteredRoute } from "./http/runtime.ts";

/** What the description of the API needs to know of a route. */
export type DescribedRoute = Pick<RegisteredRoute, "dialect" | "path" | "route">;

const pathParameter = /:([A-Za-z_][A-Za-z0-9_]*)/g;

function parametersOf({ path, route }: DescribedRoute): object[] {
  const inPath = [...path.matchAll(pathParameter)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const query = (route.schema.querystring?.["properties"] ?? {}) as Record<string, TSchema>;
  return [...inPath, ...Object.entries(query).map(([name, schema]) => ({ name, in: "query", required: false, schema }))];
}

/** OpenAPI 3.1 of a route table: every operation at every path where it answers, with the schemas that validate it. */
export function openapiDocument(routes: readonly DescribedRoute[], info: { version: string; url: string }): object {
  const paths: Record<string, Record<string, object>> = {};
  const seen = new Map<string, number>();
  for (const described of routes) {
    const { dialect, route } = described;
    const path = described.path.replaceAll(pathParameter, "{$1}");
    const turn = (seen.get(route.operation) ?? 0) + 1;
    seen.set(route.operation, turn);
    const { body, response, error } = route.schema;
    (paths[path] ??= {})[route.method.toLowerCase()] = {
      operationId: turn === 1 ? route.operation : `${route.operation}_${turn}`,
      tags: [dialect],
      parameters: parametersOf(described),
      ...(body === undefined ? {} : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
      responses: {
        [route.successStatus]: {
          description: "Success",
          ...(response === undefined ? {} : { content: { "application/json": { schema: response } } }),
        },
        default: {
          description: "An error, in the shape of the dialect",
          ...(error === undefined ? {} : { content: { "application/json": { schema: error } } }),
        },
      },
      ...(route.access === "public" ? { security: [] } : { "x-opencbr-action": route.action }),
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "OpenCBR", version: info.version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: info.url }],
    security: [{ token: [] }, { signature: [] }],
    components: {
      securitySchemes: {
        token: { type: "apiKey", in: "header", name: "X-Auth-Token" },
        signature: { type: "apiKey", in: "header", name: "Authorization", description: "SDK-HMAC-SHA256 request signature" },
      },
    },
    paths,
  };
}

/** Serves the description of everything that the listener serves, without a token. */
export function serveOpenapi(app: FastifyInstance, version: string): void {
  app.get("/openapi.json", async (request, reply) => {
    const text = JSON.stringify(openapiDocument(listRoutes(app), { version, url: app.api.baseUrlOf(request) }));
    return reply.header("x-request-id", request.id).header("content-type", "application/json; charset=utf-8").send(text);
  });
}
