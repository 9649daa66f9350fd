import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from "fastify";
import { auditTrailOf } from "#services/audit/auditTrail.ts";
import type { Context } from "#services/context.ts";
import { gatherFigures } from "#services/stats/gatherFigures.ts";
import { registerDialects } from "./dialects.ts";
import { HttpFailure } from "./http/failure.ts";
import { createMetrics, renderFigures } from "./http/metrics.ts";
import { dialectOfPath, rewriteByHost } from "./http/paths.ts";
import { defaultBodyLimitBytes, pathOf, registerRoutes, sendError } from "./http/routes.ts";
import type { ApiRuntime } from "./http/runtime.ts";
import type { Identity } from "./identity/identity.ts";
import { identityRoutes } from "./identity/routes.ts";
import { serveOpenapi } from "./openapi.ts";

export interface ListenerOptions {
  context: Context;
  identity: Identity;
  /** Of this software, for the API's description. */
  version: string;
  /** Where clients reach the service, such as `https://backup.example`; absent = as each request names it. */
  publicUrl?: string | undefined;
  /** The first label of the host name (iam, cbr, evs, vbs, volume, cinder) picks the service before the path does. */
  hostRules: boolean;
  vbs: { serviceMetadataType: "seed" | "otc2022" };
  refuseDependentDeletes: boolean;
  /** PEM. With `clientCa` a client may show a certificate of these authorities; other regions' services do. Absent = plain HTTP. */
  tls?: { cert: string; key: string; clientCa?: string | undefined } | undefined;
  /** Whether work is taken: for `/readyz`. Absent = when the catalog answers. */
  isReady?: () => Promise<boolean>;
}

/** How long a client may take to send a request, ms. */
const requestTimeoutMs = 300_000;
const hostForm = /^[A-Za-z0-9._-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/;

/**
 * The one listener: identity at `/`, `/v3`, `/identity`, `/v3.0`, `/v5`; CBR at `/v3/{project_id}` and `/cbr`; Block Storage and VBS at `/volume` and
 * `/v2/{project_id}`; our own at `/opencbr/v1`; `/healthz`, `/readyz`, `/metrics`, `/openapi.json`. Not listening yet.
 */
export function createListener(options: ListenerOptions): FastifyInstance {
  const { context, identity, hostRules } = options;
  const publicUrl = options.publicUrl?.replace(/\/+$/, "");
  const serverOptions: FastifyServerOptions = {
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: defaultBodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    genReqId: () => `req-${context.random.uuid()}`,
    // A name of up to 255 characters may be asked for as if it were an id.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
    ...(hostRules ? { rewriteUrl: (request) => rewriteByHost(request.headers.host, request.url ?? "/") } : {}),
    frameworkErrors: (error, request, reply) => {
      sendError(runtime, dialectOfPath(pathOf(request.url)), request, reply, error);
    },
  };
  const app = openServer(serverOptions, options.tls);
  const runtime: ApiRuntime = {
    context,
    authenticate: identity.authenticate,
    baseUrlOf(request: FastifyRequest) {
      if (publicUrl !== undefined) return publicUrl;
      const host = request.headers.host ?? "";
      return `${request.protocol}://${hostForm.test(host) ? host : "localhost"}`;
    },
    routes: [],
  };
  app.decorate("api", runtime);
  app.addHook("onClose", () => auditTrailOf(context).flush());
  // One SDK sends `{}` with a GET, and signs it; what a body means is decided by the route, whatever its media type says.
  app.addHttpMethod("GET", { hasBody: true, overrideExisting: true });
  app.addHttpMethod("HEAD", { hasBody: true, overrideExisting: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  registerRoutes(app, "identity", ["", "/identity"], identityRoutes(identity, { hostRules }));
  registerDialects(app, { refuseDependentDeletes: options.refuseDependentDeletes, serviceMetadataType: options.vbs.serviceMetadataType });
  serveOwnPaths(app, options);

  app.setErrorHandler((error, request, reply) => {
    sendError(runtime, dialectOfPath(pathOf(request.url)), request, reply, error);
  });
  const methodsAt = createMethodTable(runtime);
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url);
    const dialect = dialectOfPath(path);
    const methods = methodsAt(path);
    // The gateway in front of CBR says of a wrong method what it says of a wrong path.
    const behindGateway = dialect === "cbr" || dialect === "opencbr";
    const failure =
      methods.length === 0 || behindGateway
        ? new HttpFailure(404, "The API does not exist or has not been published", { gatewayCode: "APIGW.0101" })
        : new HttpFailure(405, `The method is not allowed here; ${methods.join(", ")} are`, { headers: { allow: methods.join(", ") } });
    sendError(runtime, dialect, request, reply, failure);
  });
  return app;
}

/** Clients without a certificate are served too: only what is for other regions asks for one. */
function openServer(options: FastifyServerOptions, tls: ListenerOptions["tls"]): FastifyInstance {
  if (tls === undefined) return fastify(options);
  const { cert, key, clientCa } = tls;
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  // The framework's types tell servers with and without TLS apart; nothing here does.
  const secure: FastifyServerOptions = Object.assign({}, options, { https: { cert, key, minVersion: "TLSv1.2", ...clients } });
  return fastify(secure);
}

/** Which methods a path has. Only asked for what no route answers. */
function createMethodTable(runtime: ApiRuntime): (path: string) => string[] {
  let table: { form: RegExp; method: string }[] | undefined;
  return (path) => {
    table ??= runtime.routes.map((entry) => ({
      form: new RegExp(`^${entry.path.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+")}/?$`),
      method: entry.route.method,
    }));
    return [...new Set(table.filter(({ form }) => form.test(path)).map(({ method }) => method))].sort();
  };
}

/** What can be told does not go missing because the service's own figures cannot. */
async function ownFigures(context: Context): Promise<string> {
  try {
    return renderFigures(await gatherFigures(context));
  } catch (error) {
    context.log.error({ err: error }, "the service's own figures could not be gathered");
    return "";
  }
}

function serveOwnPaths(app: FastifyInstance, options: ListenerOptions): void {
  const { context } = options;
  const isReady = options.isReady ?? (async () => (await context.catalog.meta.get("readiness"), true));
  const metrics = createMetrics(app.api.routes);
  const tagged = (request: FastifyRequest, reply: FastifyReply): FastifyReply => reply.header("x-request-id", request.id);
  app.get("/healthz", async (request, reply) => tagged(request, reply).send({ status: "ok" }));
  app.get("/readyz", async (request, reply) => {
    tagged(request, reply);
    try {
      if (await isReady()) return { status: "ready" };
    } catch (error) {
      context.log.error({ err: error }, "not ready");
    }
    return reply.code(503).send({ status: "not ready" });
  });
  app.get("/metrics", async (request, reply) =>
    tagged(request, reply)
      .type(metrics.contentType)
      .send(`${await metrics.metrics()}\n${await ownFigures(context)}`),
  );
  serveOpenapi(app, options.version);
}
