import { defineRoute } from "../http/route.ts";
import { maxMinor } from "./microversion.ts";

/** Block Storage's version document. `base` is where the dialect's root is, without a slash at the end, such as `http://host/volume`. */
export function versionDocument(base: string): { versions: object[] } {
  return {
    versions: [
      {
        id: "v2.0",
        status: "SUPPORTED",
        version: "",
        min_version: "",
        updated: "2026-01-01T00:00:00Z",
        links: [{ rel: "self", href: `${base}/v2/` }],
        "media-types": [{ base: "application/json", type: "application/vnd.openstack.volume+json;version=2" }],
      },
      {
        id: "v3.0",
        status: "CURRENT",
        version: `3.${maxMinor}`,
        min_version: "3.0",
        updated: "2026-01-01T00:00:00Z",
        links: [{ rel: "self", href: `${base}/v3/` }],
        "media-types": [{ base: "application/json", type: "application/vnd.openstack.volume+json;version=3" }],
      },
    ],
  };
}

/** Where the dialect's root is, told by the request for a version document itself. */
export function rootOf(baseUrl: string, url: string): string {
  const path = (url.split("?", 1)[0] ?? "").replace(/\/+$/, "");
  return baseUrl + path.replace(/\/v[23]$/, "");
}

/** Asked before a client has a token: the root as a choice of versions, each version as the one that is meant. */
export const versionRoutes = (["", "/v3", "/v2"] as const).map((path) =>
  defineRoute({
    method: "GET",
    path,
    operation: path === "" ? "ListBlockStorageVersions" : `ShowBlockStorageVersion${path.slice(1).toUpperCase()}`,
    action: "volume:versions:list",
    access: "public",
    successStatus: path === "" ? 300 : 200,
    schema: {},
    async handler({ baseUrl, url }) {
      return { body: versionDocument(rootOf(baseUrl, url)) };
    },
  }),
);
