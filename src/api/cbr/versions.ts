/** CBR's version document. `base` is where `/v3` is below, without a slash at the end. */
export function versionDocument(base: string) {
  return { versions: [{ id: "v3", status: "CURRENT", links: [{ href: `${base}/v3`, rel: "self" }] }] };
}

/** The service names under which a version may be asked for. */
export const serviceNames: readonly string[] = ["vbs", "csbs", "cbr"];
