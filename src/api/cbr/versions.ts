import { HttpFailure } from "../http/failure.ts";
import { defineRoute } from "../http/route.ts";
import { paramsSchema } from "./schemas.ts";

/** CBR's version document. `base` is where `/v3` is below, without a slash at the end. */
export function versionDocument(base: string) {
  return { versions: [{ id: "v3", status: "CURRENT", links: [{ href: `${base}/v3`, rel: "self" }] }] };
}

/** The service names under which a version may be asked for. */
const serviceNames: readonly string[] = ["vbs", "csbs", "cbr"];

/** Where CBR's root is, told by the request itself: before the service name that it may end in. */
function rootOf(baseUrl: string, url: string, name: string): string {
  const path = (url.split("?", 1)[0] ?? "").replace(/\/+$/, "");
  return baseUrl + (name === "" ? path : path.slice(0, Math.max(0, path.lastIndexOf("/"))));
}

/** Version queries, answered without a token. */
export const versionRoutes = [
  defineRoute({
    method: "GET",
    path: "",
    operation: "ListVersions",
    action: "cbr:versions:list",
    access: "public",
    successStatus: 300,
    schema: {},
    async handler({ baseUrl, url }) {
      return { body: versionDocument(rootOf(baseUrl, url, "")) };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/:api_version",
    operation: "ShowVersion",
    action: "cbr:versions:get",
    access: "public",
    successStatus: 300,
    schema: { params: paramsSchema("api_version") },
    async handler({ baseUrl, url, params }) {
      const name = params["api_version"] ?? "";
      if (!serviceNames.includes(name))
        throw new HttpFailure(404, "The API does not exist or has not been published.", { gatewayCode: "APIGW.0101" });
      return { body: versionDocument(rootOf(baseUrl, url, name)) };
    },
  }),
];
