import type { FastifyRequest } from "fastify";
import type { IncomingHttpHeaders } from "node:http";
import type { Context } from "#services/context.ts";
import type { Principal } from "../auth/principal.ts";
import type { DialectName, Route } from "./route.ts";

/** What authentication looks at. */
export interface Credentials {
  method: string;
  /** Path and query as received: signatures are over these. */
  url: string;
  headers: IncomingHttpHeaders;
  raw: Uint8Array;
  /** Of the peer. */
  address: string;
  /** Of the path, where it has one. */
  projectId: string | undefined;
}

/** @throws HttpFailure 401, 400 */
export type Authenticate = (credentials: Credentials) => Principal | Promise<Principal>;

/** A route where it is served, with what happened to it. */
export interface RegisteredRoute {
  dialect: DialectName;
  /** The whole path, parameters as `:name`. */
  path: string;
  route: Route;
  /** Answers by status, and the time they took. */
  answers: Map<number, { count: number; seconds: number }>;
}

/** What every route of one listener shares. */
export interface ApiRuntime {
  context: Context;
  authenticate: Authenticate;
  /** Where the client reaches us, without a slash at the end: the public URL, or the address that the request names. */
  baseUrlOf(request: FastifyRequest): string;
  routes: RegisteredRoute[];
}

declare module "fastify" {
  interface FastifyInstance {
    api: ApiRuntime;
  }
}
