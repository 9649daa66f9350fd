import { DomainError } from "#model/errors.ts";

/** Newest microversion of Block Storage v3 that is offered: 3.`maxMinor`. */
export const maxMinor = 70;

export interface Microversion {
  /** The N of 3.N. */
  minor: number;
  /** The request named one; without, 3.0 is meant. */
  explicit: boolean;
}

/**
 * Reads `OpenStack-API-Version`: a comma list of `service version` pairs, of which the one for `volume` counts.
 * Absent: 3.0. `latest`: the newest. Throws `notAcceptable` outside the range, `invalidRequest` for what is no version.
 */
export function readMicroversion(header: string | string[] | undefined): Microversion {
  const text = Array.isArray(header) ? header.join(",") : header;
  if (text === undefined) return { minor: 0, explicit: false };
  for (const pair of text.split(",")) {
    const [service = "", version, ...rest] = pair.trim().split(/\s+/);
    if (service.toLowerCase() !== "volume" && service.toLowerCase() !== "block-storage") continue;
    if (version?.toLowerCase() === "latest") return { minor: maxMinor, explicit: true };
    const match = rest.length === 0 ? /^(\d{1,6})\.(\d{1,6})$/.exec(version ?? "") : null;
    if (match === null)
      throw new DomainError("invalidRequest", "OpenStack-API-Version: must be `volume 3.N` or `volume latest`", { field: "OpenStack-API-Version" });
    const minor = Number(match[2]);
    if (Number(match[1]) !== 3 || minor > maxMinor) {
      throw new DomainError("notAcceptable", `OpenStack-API-Version: version ${match[1]}.${match[2]} is not offered; 3.0 to 3.${maxMinor} are`, {
        field: "OpenStack-API-Version",
      });
    }
    return { minor, explicit: true };
  }
  return { minor: 0, explicit: false };
}
