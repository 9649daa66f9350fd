import type { Static, TSchema, TUnknown } from "@sinclair/typebox";
import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "#model/caller.ts";
import type { Context } from "#services/context.ts";
import type { Principal } from "../auth/principal.ts";

/** Whose words and error bodies an operation speaks. `vbs` answers errors as `cinder` does, unless a route says `ownErrors`. */
export type DialectName = "identity" | "cbr" | "cinder" | "vbs" | "opencbr";

/** A request as a handler gets it: authenticated, allowed, and its body as the schema says. */
export interface Request<Body> {
  params: Readonly<Record<string, string>>;
  /** A name given more than once has an array. */
  query: Readonly<Record<string, unknown>>;
  body: Body;
  /** The body's bytes as received. */
  raw: Uint8Array;
  headers: IncomingHttpHeaders;
  /** Path and query as received, before any host rule. */
  url: string;
  /** Where the client reaches this service, without a slash at the end. */
  baseUrl: string;
  /** Who was authenticated, with token and scope; absent where `access` is `public`. */
  principal: Principal | undefined;
  /** Address of the peer. */
  address: string;
}

/** What a handler answers; without a status, the route's own. A body of bytes is sent as it is, anything else as JSON. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: object;
  /** Who the caller turned out to be, where nobody was authenticated before: for the audit log. */
  provenAs?: Principal;
}

/**
 * Who may ask: `project` = a caller of the project in the path (`:project_id`), with a role that allows the action; `token` = anybody authenticated;
 * `peer` = the services of other regions; `public` = anybody.
 */
export type Access = "project" | "token" | "peer" | "public";

export interface RouteHead<Body extends TSchema = TSchema> {
  /** A GET is answered to HEAD too, unless the table has a HEAD of its own. */
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the prefix, such as `/backups/:backup_id`; empty = the prefix itself. */
  path: string;
  operation: string;
  /** Permission name, such as `cbr:backups:get`. */
  action: string;
  /** Default: `project` where the whole path has `:project_id`, else `token`. */
  access?: Access;
  successStatus: number;
  /**
   * Without a `body` schema nothing is parsed; one of `Type.Optional` may be absent. Unknown keys: as `additionalProperties` says.
   * `response` and `error` describe what is answered; only tests hold answers against them.
   */
  schema: { params?: TSchema; querystring?: TSchema; body?: Body; response?: TSchema; error?: TSchema };
  /** Largest body in bytes; default 1 MiB. */
  bodyLimitBytes?: number;
  /** VBS's own operations: errors as `{"error":{"code":"VolumeBackup.0002","message":…}}`. */
  ownErrors?: boolean;
  /** The audit log has one entry for many calls of the same caller on the same thing: for pieces of data. */
  auditedInPieces?: true;
}

/** One operation. One schema gives its validation, its types and its description. */
export interface Route extends RouteHead {
  handler(request: Request<never>, caller: Caller, context: Context): Promise<Answer>;
}

/** Ties a handler to the type that its body schema has. */
export function defineRoute<Body extends TSchema = TUnknown>(
  route: RouteHead<Body> & { handler(request: Request<Static<Body>>, caller: Caller, context: Context): Promise<Answer> },
): Route {
  return route;
}
