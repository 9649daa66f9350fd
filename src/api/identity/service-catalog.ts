import { createHash } from "node:crypto";
import { labelOf } from "../http/paths.ts";

/** Where one service is, below the base URL or at a host name of its own. */
interface Service {
  type: string;
  name: string;
  path(projectId: string): string;
  /** First label of its host name, and the path there. */
  host: { label: string; path(projectId: string): string };
}

const v2 = { path: (id: string) => `/volume/v2/${id}`, host: { label: "evs", path: (id: string) => `/v2/${id}` } };
const v3 = { path: (id: string) => `/volume/v3/${id}`, host: { label: "evs", path: (id: string) => `/v3/${id}` } };
const vbs = { path: v2.path, host: { ...v2.host, label: "vbs" } };

/** Every type that a client of the dialects looks up. */
const services: readonly Service[] = [
  { type: "identity", name: "keystone", path: () => "/identity/v3", host: { label: "iam", path: () => "/v3" } },
  { type: "cbr", name: "cbr", path: (id) => `/v3/${id}`, host: { label: "cbr", path: (id) => `/v3/${id}` } },
  { type: "volumev3", name: "cinderv3", ...v3 },
  { type: "block-storage", name: "cinder", ...v3 },
  { type: "volumev2", name: "cinderv2", ...v2 },
  { type: "evs", name: "evs", ...v2 },
  { type: "vbs", name: "vbs", ...vbs },
  { type: "vbsv2", name: "vbsv2", ...vbs },
];

const idOf = (...parts: string[]): string => createHash("sha256").update(parts.join(" ")).digest("hex").slice(0, 32);

/** The catalog of a token. Services of a project are left out where there is none. */
export function serviceCatalog(place: { baseUrl: string; hostRules: boolean; region: string; projectId: string | undefined }): object[] {
  const { baseUrl, hostRules, region, projectId } = place;
  const { protocol, host } = new URL(baseUrl);
  const label = hostRules ? labelOf(host) : undefined;
  const urlOf = (service: Service): string => {
    if (label === undefined) return baseUrl + service.path(projectId ?? "");
    return `${protocol}//${service.host.label}${host.slice(label.length)}${service.host.path(projectId ?? "")}`;
  };
  return services
    .filter(({ type }) => type === "identity" || projectId !== undefined)
    .map((service) => ({
      id: idOf(service.type),
      type: service.type,
      name: service.name,
      endpoints: ["public", "internal", "admin"].map((kind) => ({
        id: idOf(service.type, kind),
        interface: kind,
        region,
        region_id: region,
        url: urlOf(service),
      })),
    }));
}
