import type { TSchema, Static } from "@sinclair/typebox";
import type { Caller } from "#model/caller.ts";
import type { Context } from "#services/context.ts";
import { defineRoute, type Answer, type Request, type RouteHead } from "../http/route.ts";
import type { BlockStorageBase } from "./links.ts";
import { readMicroversion } from "./microversion.ts";

/** Settings of the Block Storage dialects. */
export interface BlockStorageOptions {
  /** Refuse to delete a backup that incremental ones were compared with, as Cinder does. */
  refuseDependentDeletes: boolean;
  /** How `service_metadata.Type` is read. */
  serviceMetadataType: "seed" | "otc2022";
}

/** What a Block Storage handler gets beyond the request: where it answers, and for which version. */
export interface BlockStorageRequest<Body> extends Request<Body> {
  base: BlockStorageBase;
  /** The N of the negotiated 3.N; 0 on v2. */
  minor: number;
  /** The request named a microversion. */
  explicitVersion: boolean;
}

export type Version = "v2" | "v3";

/** Where a request came in, as the client sees it: everything before the project id. */
export function baseOf(baseUrl: string, url: string, projectId: string): BlockStorageBase {
  const query = url.indexOf("?");
  const path = query === -1 ? url : url.slice(0, query);
  const at = path.indexOf(`/${projectId}`);
  const prefix = at === -1 ? "" : path.slice(0, at);
  return { versioned: baseUrl + prefix, bare: baseUrl + prefix.slice(0, Math.max(0, prefix.lastIndexOf("/"))) };
}

/** A route of Block Storage: negotiates the microversion on v3 and echoes it. */
export function blockStorageRoute<Body extends TSchema>(
  version: Version,
  route: RouteHead<Body> & { handler(request: BlockStorageRequest<Static<Body>>, caller: Caller, context: Context): Promise<Answer> },
) {
  return defineRoute<Body>({
    ...route,
    async handler(request, caller, context) {
      const { minor, explicit } = version === "v2" ? { minor: 0, explicit: false } : readMicroversion(request.headers["openstack-api-version"]);
      const base = baseOf(request.baseUrl, request.url, caller.projectId);
      const answer = await route.handler({ ...request, base, minor, explicitVersion: explicit }, caller, context);
      if (version === "v2") return answer;
      return { ...answer, headers: { ...answer.headers, "openstack-api-version": `volume 3.${minor}`, vary: "OpenStack-API-Version" } };
    },
  });
}
