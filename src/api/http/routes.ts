import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { auditTrailOf, type AuditMark } from "#services/audit/auditTrail.ts";
import { rolesOf } from "#services/context.ts";
import { nameOf } from "#services/audit/nameOf.ts";
import { authenticatePeer } from "../auth/authenticate-peer.ts";
import type { Principal } from "../auth/principal.ts";
import { auditedCall, isAudited, learnedFrom } from "./audit.ts";
import { HttpFailure, malformed } from "./failure.ts";
import { renderError, type RenderedError } from "./render-error.ts";
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
        errorHandler: serve.refuse,
        ...(serve.beforeBody === undefined ? {} : { onRequest: serve.beforeBody }),
      });
    }
  }
}

/** Every route of the listener, in the order of registration. */
export const listRoutes = (app: FastifyInstance): readonly RegisteredRoute[] => app.api.routes;

const nobody: Principal = { userId: "", userName: "", domainId: "", scope: { kind: "unscoped" }, roles: [], token: undefined };

/** How far a request has come: for the audit log. */
interface Progress {
  principal: Principal | undefined;
  mark: AuditMark | undefined;
}

function createServe(runtime: ApiRuntime, registered: RegisteredRoute) {
  const { context } = runtime;
  const { dialect, path, route } = registered;
  const hasProject = path.includes(":project_id");
  const access: Access = route.access ?? (hasProject ? "project" : "token");
  const checkParams = compileValidator(route.schema.params, "path");
  const checkQuery = compileValidator(route.schema.querystring, "query");
  const checkBody = compileValidator(route.schema.body, "body");
  const successStatus = route.successStatus;
  const mayDo = rolesOf(context);
  const trail = isAudited(route) ? auditTrailOf(context) : undefined;

  function authenticate(request: FastifyRequest, raw: Uint8Array): Principal | Promise<Principal> {
    if (access === "peer") return authenticatePeer(context, { headers: request.headers, socket: request.raw.socket });
    const { project_id: projectId } = request.params as Record<string, string | undefined>;
    return runtime.authenticate({ method: request.method, url: request.originalUrl, headers: request.headers, raw, address: request.ip, projectId });
  }

  function callerOf(principal: Principal, projectId: string | undefined, requestId: string): Caller {
    const { scope } = principal;
    const ownProject = scope.kind === "project" ? scope.projectId : "";
    if (access === "project") {
      if (ownProject !== projectId)
        throw new DomainError("forbidden", "project_id: the credentials are not for this project", { field: "project_id" });
      if (!mayDo.isAllowed(principal.roles, route.action)) throw new DomainError("forbidden", `the roles of this user do not allow ${route.action}`);
    }
    return {
      userId: principal.userId,
      userName: principal.userName,
      projectId: ownProject,
      domainId: principal.domainId,
      roles: principal.roles,
      isBound: principal.token?.methods.includes("application_credential") === true || principal.accessKey?.isTemporary === true,
      requestId,
    };
  }

  /**
   * Before anything is done on behalf of somebody, the audit log has an entry for it. Where nobody is authenticated nothing is changed but
   * what the caller is told, so that an entry afterwards is enough.
   */
  async function begin(request: FastifyRequest, principal: Principal): Promise<AuditMark | undefined> {
    if (trail === undefined || access === "public") return undefined;
    const call = auditedCall(registered, request, principal);
    call.resourceName = await nameOf(context.catalog, call.projectId, call.resourceType, call.resourceId);
    const pieces = [call.userId, call.credentialId, call.address, call.operation, call.targetProjectId, call.resourceId].join(" ");
    return trail.begin(call, route.auditedInPieces === true ? pieces : undefined);
  }

  async function answer(request: FastifyRequest, progress: Progress): Promise<Answer> {
    const raw = Buffer.isBuffer(request.body) ? request.body : noBytes;
    const params = request.params as Record<string, string>;
    const attempt = access === "public" ? nobody : authenticate(request, raw);
    const principal = attempt instanceof Promise ? await attempt : attempt;
    if (access !== "public") progress.principal = principal;
    const caller = callerOf(principal, params["project_id"], request.id);
    checkParams?.(params);
    checkQuery?.(request.query);
    let body: unknown;
    if (checkBody !== undefined) {
      body = parseJson(raw);
      checkBody(body);
    }
    if (trail !== undefined) progress.mark = await begin(request, principal);
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

  function record(request: FastifyRequest, { principal, mark }: Progress, status: number, errorCode: string | null, answered?: Answer): void {
    const call = mark?.call ?? auditedCall(registered, request, principal);
    const outcome = { status, errorCode, ...(answered === undefined ? {} : { learned: learnedFrom(call, answered) }) };
    if (mark === undefined) trail?.note(call, outcome);
    else trail?.end(mark, outcome);
  }

  /** What is refused before the handler is asked: a body that is too large, or not authenticated for. */
  function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { status, code } = sendError(runtime, dialect, request, reply, error, { ownErrors: route.ownErrors ?? false });
    if (trail !== undefined) record(request, { principal: undefined, mark: undefined }, status, code);
  }

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const startedUs = context.clock.nowUs();
    const progress: Progress = { principal: undefined, mark: undefined };
    let status: number;
    try {
      const given = await answer(request, progress);
      status = given.status ?? successStatus;
      if (trail !== undefined) record(request, progress, status, null, given);
      sendAnswer(dialect, request, reply, status, given);
    } catch (error) {
      const rendered = sendError(runtime, dialect, request, reply, error, { ownErrors: route.ownErrors ?? false });
      status = rendered.status;
      if (trail !== undefined) record(request, progress, status, rendered.code);
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
      refuse(error, request, reply);
      return reply;
    }
  }

  const isLarge = (route.bodyLimitBytes ?? 0) > defaultBodyLimitBytes && access !== "public";
  return { handle, refuse, beforeBody: isLarge ? beforeBody : undefined };
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

/** Answers an error in the dialect's shape, logs it when it is a defect of ours, and tells what was answered. */
export function sendError(
  runtime: ApiRuntime,
  dialect: DialectName,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  { ownErrors = false }: { ownErrors?: boolean } = {},
): RenderedError {
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
  return rendered;
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
