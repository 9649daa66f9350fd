import type { Static, TSchema, TUnknown } from "@sinclair/typebox";
import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "#model/caller.ts";
import type { Context } from "#services/context.ts";

/** A request as a handler gets it: authenticated, allowed, and its body as the schema says. */
export interface Request<Body> {
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, unknown>>;
  body: Body;
  /** The body's bytes as received. */
  raw: Uint8Array;
  headers: IncomingHttpHeaders;
  /** Path and query as received. */
  url: string;
  /** Where the client reaches this service, without a slash at the end. */
  baseUrl: string;
}

/** What a handler answers; without a status, the route's own. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: object;
}

export interface RouteHead<Body extends TSchema = TSchema> {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Below the dialect's prefix and the project, such as `/backups/:backup_id`. */
  path: string;
  operation: string;
  /** Permission name. */
  action: string;
  successStatus: number;
  schema: { params?: TSchema; querystring?: TSchema; body?: Body };
}

/** One operation. One schema gives its validation, its types and its description. */
export interface DefinedRoute extends RouteHead {
  handler(request: Request<never>, caller: Caller, context: Context): Promise<Answer>;
}

/** Ties a handler to the type that its body schema has. */
export function defineRoute<Body extends TSchema = TUnknown>(
  route: RouteHead<Body> & { handler(request: Request<Static<Body>>, caller: Caller, context: Context): Promise<Answer> },
): DefinedRoute {
  return route;
}
