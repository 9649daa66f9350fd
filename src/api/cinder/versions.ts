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
