import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isAllowed, type Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Principal } from "../auth/principal.ts";
import { HttpFailure, malformed } from "./failure.ts";
import { renderError } from "./render-error.ts";
import type { Access, Answer, DialectName, Route } from "./route.ts";
import type { ApiRuntime, RegisteredRoute } from "./runtime.ts";
import { compileValidator } from "./validation.ts";

export const defaultBodyLimitBytes = 1024 * 1024;
const noBytes = new Uint8Array(0);

/**
 * Serves the routes below each prefix (`/v3/:project_id`, `/volume/v3/:project_id`, `` …). Each request is authenticated, held against the project
 * of its path (`:project_id`) and the roles, checked by the schemas, handled and rendered; whatever is thrown is answered in the dialect's own shape.
 */
export function registerRoutes(app: FastifyInstance, dialect: DialectName, prefixes: readonly string[], routes: readonly Route[]): void {
  for (const prefix of prefixes) {
    const ownHead = new Set(routes.filter((route) => route.method === "HEAD").map((route) => route.path));
    for (const route of routes) {
      const path = prefix + route.path || "/";
      const registered: RegisteredRoute = { dialect, path, route, answers: new Map() };
      app.api.routes.push(registered);
      const serve = createServe(app.api, registered);
      app.route({
        method: route.method === "GET" && !ownHead.has(route.path) ? ["GET", "HEAD"] : route.method,
        url: path,
        bodyLimit: route.bodyLimitBytes ?? defaultBodyLimitBytes,
        handler: serve.handle,
        ...(serve.beforeBody === undefined ? {} : { onRequest: serve.beforeBody }),
      });
    }
  }
}

/** Every route of the listener, in the order of registration. */
export const listRoutes = (app: FastifyInstance): readonly RegisteredRoute[] => app.api.routes;

const nobody: Principal = { userId: "", userName: "", domainId: "", scope: { kind: "unscoped" }, roles: [], token: undefined };

function createServe(runtime: ApiRuntime, registered: RegisteredRoute) {
  const { context } = runtime;
  const { dialect, path, route } = registered;
  const hasProject = path.includes(":project_id");
  const access: Access = route.access ?? (hasProject ? "project" : "token");
  const checkParams = compileValidator(route.schema.params, "path");
  const checkQuery = compileValidator(route.schema.querystring, "query");
  const checkBody = compileValidator(route.schema.body, "body");
  const successStatus = route.successStatus;

  function authenticate(request: FastifyRequest, raw: Uint8Array): Principal | Promise<Principal> {
    const { project_id: projectId } = request.params as Record<string, string | undefined>;
    return runtime.authenticate({ method: request.method, url: request.originalUrl, headers: request.headers, raw, projectId });
  }

  function callerOf(principal: Principal, projectId: string | undefined, requestId: string): Caller {
    const { scope } = principal;
    const ownProject = scope.kind === "project" ? scope.projectId : "";
    if (access === "project") {
      if (ownProject !== projectId)
        throw new DomainError("forbidden", "project_id: the credentials are not for this project", { field: "project_id" });
      if (!isAllowed(principal.roles, route.action)) throw new DomainError("forbidden", `the roles of this user do not allow ${route.action}`);
    }
    return {
      userId: principal.userId,
      userName: principal.userName,
      projectId: ownProject,
      domainId: principal.domainId,
      roles: principal.roles,
      requestId,
    };
  }

  async function answer(request: FastifyRequest): Promise<Answer> {
    const raw = Buffer.isBuffer(request.body) ? request.body : noBytes;
    const params = request.params as Record<string, string>;
    const attempt = access === "public" ? nobody : authenticate(request, raw);
    const principal = attempt instanceof Promise ? await attempt : attempt;
    const caller = callerOf(principal, params["project_id"], request.id);
    checkParams?.(params);
    checkQuery?.(request.query);
    let body: unknown;
    if (checkBody !== undefined) {
      body = parseJson(raw);
      checkBody(body);
    }
    return route.handler(
      {
        params,
        query: request.query as Record<string, unknown>,
        body: body as never,
        raw,
        headers: request.headers,
        url: request.originalUrl,
        get baseUrl() {
          return runtime.baseUrlOf(request);
        },
        principal: access === "public" ? undefined : principal,
        get address() {
          return request.ip;
        },
      },
      caller,
      context,
    );
  }

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const startedUs = context.clock.nowUs();
    let status: number;
    try {
      const given = await answer(request);
      status = given.status ?? successStatus;
      sendAnswer(dialect, request, reply, status, given);
    } catch (error) {
      status = sendError(runtime, dialect, request, reply, error, { ownErrors: route.ownErrors ?? false });
    }
    const seconds = Math.max(0, context.clock.nowUs() - startedUs) / 1e6;
    const figures = registered.answers.get(status);
    if (figures === undefined) registered.answers.set(status, { count: 1, seconds });
    else {
      figures.count += 1;
      figures.seconds += seconds;
    }
    return reply;
  }

  /** A large body is not even read for somebody unknown. A signature covers the body, so it has to be read first. */
  async function beforeBody(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (request.headers["x-auth-token"] === undefined && request.headers.authorization !== undefined) return undefined;
    try {
      await authenticate(request, noBytes);
      return undefined;
    } catch (error) {
      sendError(runtime, dialect, request, reply, error, { ownErrors: route.ownErrors ?? false });
      return reply;
    }
  }

  const isLarge = (route.bodyLimitBytes ?? 0) > defaultBodyLimitBytes && access !== "public";
  return { handle, beforeBody: isLarge ? beforeBody : undefined };
}

function parseJson(raw: Uint8Array): unknown {
  if (raw.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch (error) {
    throw new DomainError("invalidRequest", "body: is not valid JSON", { field: "body", cause: error });
  }
}

function setRequestId(dialect: DialectName, reply: FastifyReply, requestId: string): void {
  reply.header("x-request-id", requestId);
  if (dialect === "cbr") return;
  reply.header("x-openstack-request-id", requestId);
  if (dialect === "cinder" || dialect === "vbs") reply.header("x-compute-request-id", requestId);
}

function sendAnswer(dialect: DialectName, request: FastifyRequest, reply: FastifyReply, status: number, answer: Answer): void {
  setRequestId(dialect, reply, request.id);
  if (answer.headers !== undefined) reply.headers(answer.headers);
  reply.code(status);
  const { body } = answer;
  if (body === undefined) reply.send();
  else if (body instanceof Uint8Array) {
    if (!reply.hasHeader("content-type")) reply.type("application/octet-stream");
    reply.send(Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  } else {
    reply.header("content-type", "application/json; charset=utf-8");
    reply.send(JSON.stringify(body));
  }
}

/** Answers an error in the dialect's shape, logs it when it is a defect of ours, and tells the status. */
export function sendError(
  runtime: ApiRuntime,
  dialect: DialectName,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  { ownErrors = false }: { ownErrors?: boolean } = {},
): number {
  const rendered = renderError(dialect, fromFramework(error), request.id, ownErrors);
  if (rendered.defect !== undefined) {
    runtime.context.log.error(
      { requestId: request.id, method: request.method, path: pathOf(request.originalUrl), err: rendered.defect },
      "a request failed",
    );
  }
  setRequestId(dialect, reply, request.id);
  if (rendered.status === 401) reply.header("www-authenticate", `Keystone uri="${runtime.baseUrlOf(request)}/identity/v3"`);
  reply
    .code(rendered.status)
    .headers({ ...rendered.headers })
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify(rendered.body));
  return rendered.status;
}

export function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

/** What the framework refuses by itself (too large, a bad URL, a media type that is none) carries a 4xx `statusCode`. */
function fromFramework(error: unknown): unknown {
  if (!(error instanceof Error) || !("statusCode" in error) || !("code" in error)) return error;
  const { statusCode, code } = error;
  if (typeof statusCode !== "number" || statusCode < 400 || statusCode > 499 || typeof code !== "string") return error;
  if (statusCode === 413) return new HttpFailure(413, "body: is too large", { gatewayCode: "APIGW.0201" });
  if (statusCode === 415) return new HttpFailure(415, "Content-Type: is not a media type", { gatewayCode: "APIGW.0201" });
  return statusCode === 400
    ? malformed("The request is malformed", error)
    : new HttpFailure(statusCode, "The request is malformed", { gatewayCode: "APIGW.0201" });
}
