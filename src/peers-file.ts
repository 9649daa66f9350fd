import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isProjectId } from "#model/ids.ts";
import { peerRegionHeader, type Peer } from "#services/replication/peers.ts";
import { StartError } from "./start-failure.ts";

/** What this service shows of itself to the others. */
export interface OwnEnd {
  region: string;
  /** PEM of the listener's certificate and key; a peer may be shown another one. */
  cert?: string | undefined;
  key?: string | undefined;
}

const keys = ["region", "url", "ca", "certificate", "key", "name", "secretFile", "accept"];
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;
const minSecretLength = 32;

/**
 * The other regions' services as the file tells them; docs/operating.md has its form. Paths in it are relative to its folder.
 * @throws StartError that names the file and the member
 */
export function readPeers(path: string, own: OwnEnd): Peer[] {
  const wrong = (what: string, cause?: unknown): StartError => new StartError(`the peers file ${path} cannot be used: ${what}`, { cause });
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw wrong(error instanceof SyntaxError ? `it is no JSON (${error.message})` : (error as Error).message, error);
  }
  const list = isObject(content) ? content["peers"] : undefined;
  if (!Array.isArray(list)) throw wrong('it must be an object with a list "peers"');
  const fileAt = (name: string, where: string): string => {
    try {
      return readFileSync(resolve(dirname(path), name), "utf8");
    } catch (error) {
      throw wrong(`${where}: ${(error as Error).message}`, error);
    }
  };
  const peers = list.map((entry: unknown, at) => {
    const where = `peers[${at}]`;
    if (!isObject(entry)) throw wrong(`${where} must be an object`);
    const unknown = Object.keys(entry).find((key) => !keys.includes(key));
    if (unknown !== undefined) throw wrong(`${where}.${unknown} is not known; ${keys.join(", ")} are`);
    const text = (key: string): string | undefined => {
      const value = entry[key];
      if (value === undefined || (typeof value === "string" && value !== "")) return value;
      throw wrong(`${where}.${key} must be a text`);
    };
    const file = (key: string): string | undefined => {
      const name = text(key);
      return name === undefined ? undefined : fileAt(name, `${where}.${key}`);
    };
    const region = text("region");
    if (region === undefined || !/^[A-Za-z0-9._-]{1,255}$/.test(region)) throw wrong(`${where}.region must be 1 to 255 letters, digits, ., _ or -`);
    if (region === own.region) throw wrong(`${where}.region is this region's own name`);
    const url = URL.parse(text("url") ?? "");
    if (url === null || !/^https?:$/.test(url.protocol)) throw wrong(`${where}.url must be an https URL`);
    const isSecure = url.protocol === "https:";
    if (!isSecure && !loopback.test(url.hostname)) throw wrong(`${where}.url: plain http is for loopback addresses only`);
    const secret = file("secretFile")?.trim();
    if (secret !== undefined && secret.length < minSecretLength) throw wrong(`${where}.secretFile must hold at least ${minSecretLength} characters`);
    if (!isSecure && secret === undefined) throw wrong(`${where}.secretFile is needed where there is no TLS`);
    const tls = { ca: file("ca"), cert: file("certificate") ?? own.cert, key: file("key") ?? own.key };
    if (isSecure && secret === undefined && (tls.cert === undefined || tls.key === undefined))
      throw wrong(`${where}: give certificate and key, or secretFile: the peer must know who asks`);
    const given = Object.fromEntries(Object.entries(tls).filter(([, value]) => isSecure && value !== undefined));
    return {
      region,
      address: {
        url: `${url.origin}${url.pathname}`.replace(/\/+$/, ""),
        headers: { [peerRegionHeader]: own.region, ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }) },
        tls: given,
      },
      secret,
      certificateName: text("name") ?? (secret === undefined ? url.hostname : undefined),
      accept: acceptOf(entry["accept"], (what) => wrong(`${where}.${what}`)),
    };
  });
  const twice = peers.find(({ region }, at) => peers.findIndex((each) => each.region === region) !== at);
  if (twice !== undefined) throw wrong(`region ${twice.region} is there twice`);
  return peers;
}

function acceptOf(given: unknown, wrong: (what: string) => StartError): Peer["accept"] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw wrong("accept must be a list");
  return given.map((pair: unknown, at) => {
    const { from, into } = isObject(pair) ? pair : {};
    if (typeof from !== "string" || typeof into !== "string" || !isProjectId(from) || !isProjectId(into))
      throw wrong(`accept[${at}] must have the project ids "from" and "into"`);
    return { from, into };
  });
}
