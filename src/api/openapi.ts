import type { TSchema } from "@sinclair/typebox";

/** What the description of the API needs to know of a route. */
export interface DescribedRoute {
  dialect: string;
  method: string;
  /** The whole path, with parameters as `:name`. */
  path: string;
  operation: string;
  action: string | null;
  successStatus: number;
  schema?: { params?: TSchema | undefined; querystring?: TSchema | undefined; body?: TSchema | undefined; response?: TSchema | undefined } | undefined;
}

const pathParameter = /:([A-Za-z_][A-Za-z0-9_]*)/g;

function parametersOf(route: DescribedRoute): object[] {
  const inPath = [...route.path.matchAll(pathParameter)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const query = (route.schema?.querystring?.["properties"] ?? {}) as Record<string, TSchema>;
  return [...inPath, ...Object.entries(query).map(([name, schema]) => ({ name, in: "query", required: false, schema }))];
}

/** OpenAPI 3.1 of a route table: every operation at every path where it answers, with the schemas that validate it. */
export function openapiDocument(routes: readonly DescribedRoute[], info: { version: string; url: string }): object {
  const paths: Record<string, Record<string, object>> = {};
  const seen = new Map<string, number>();
  for (const route of routes) {
    const path = route.path.replaceAll(pathParameter, "{$1}");
    const turn = (seen.get(route.operation) ?? 0) + 1;
    seen.set(route.operation, turn);
    const body = route.schema?.body;
    const response = route.schema?.response;
    (paths[path] ??= {})[route.method.toLowerCase()] = {
      operationId: turn === 1 ? route.operation : `${route.operation}_${turn}`,
      tags: [route.dialect],
      parameters: parametersOf(route),
      ...(body === undefined ? {} : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
      responses: {
        [route.successStatus]: { description: "Success", ...(response === undefined ? {} : { content: { "application/json": { schema: response } } }) },
        default: { description: "An error, in the shape of the dialect" },
      },
      ...(route.action === null ? { security: [] } : { "x-opencbr-action": route.action }),
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
