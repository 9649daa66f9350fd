import type { DialectName } from "./route.ts";

/** First label of a host name → the path prefix whose service it picks. */
const prefixOfLabel: ReadonlyMap<string, string> = new Map([
  ["iam", "/identity"],
  ["cbr", "/cbr"],
  ["evs", "/volume"],
  ["vbs", "/volume"],
  ["volume", "/volume"],
  ["cinder", "/volume"],
]);

/** Paths that no host rule touches. */
const ownPaths = new Set(["/healthz", "/readyz", "/metrics", "/openapi.json"]);

export function labelOf(host: string | undefined): string | undefined {
  const label = host?.split(".", 1)[0]?.toLowerCase();
  return label !== undefined && prefixOfLabel.has(label) ? label : undefined;
}

/** The URL by which a request is routed when the first label of the host picks the service; without such a label, the URL as it is. */
export function rewriteByHost(host: string | undefined, url: string): string {
  const label = labelOf(host);
  if (label === undefined || !url.startsWith("/")) return url;
  const prefix = prefixOfLabel.get(label) ?? "";
  const path = url.split("?", 1)[0] ?? "";
  if (ownPaths.has(path) || path === prefix || path.startsWith(`${prefix}/`) || path.startsWith("/opencbr/")) return url;
  return prefix + url;
}

/** What stands after `/v3/` when it is no project. */
const identityNouns = /^\/v3\/(auth|projects|users|domains|regions|roles|groups|credentials|services|endpoints|policies|OS-[A-Z-]+)(\/|$)/;

/** Whose error shape a path gets that no route answers. Everything else is answered as the gateway in front of CBR does. */
export function dialectOfPath(path: string): DialectName {
  if (path === "/" || path === "/v3" || path === "/v3/" || /^\/(identity|v3\.0|v5)(\/|$)/.test(path) || identityNouns.test(path)) return "identity";
  if (/^\/(volume|v2)(\/|$)/.test(path)) return "cinder";
  if (/^\/v1(\/|$)/.test(path)) return "vbs";
  if (/^\/opencbr(\/|$)/.test(path)) return "opencbr";
  return "cbr";
}
