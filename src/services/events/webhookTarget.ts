import { BlockList, isIP } from "node:net";
import { DomainError } from "#model/errors.ts";

/** Where webhooks may point beside the public internet: `--webhook-allow`. */
export interface WebhookRules {
  /** Host names, lower case, whatever address they have. */
  hosts: ReadonlySet<string>;
  /** Addresses and networks that are not public. */
  networks: BlockList;
}

const networkForm = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/;
const hostForm = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Whether a text is a host name, an address or a network, as `--webhook-allow` takes them. */
export function isAllowedTarget(text: string): boolean {
  const [, address = "", bits = ""] = networkForm.exec(text) ?? [];
  if (address !== "") return isIP(address) !== 0 && Number(bits) <= (isIP(address) === 6 ? 128 : 32);
  return isIP(text) !== 0 || hostForm.test(text.toLowerCase());
}

export function webhookRules(allowed: readonly string[] = []): WebhookRules {
  const hosts = new Set<string>();
  const networks = new BlockList();
  for (const text of allowed.filter(isAllowedTarget)) {
    const [, address = "", bits = ""] = networkForm.exec(text) ?? [];
    if (address !== "") networks.addSubnet(address, Number(bits), familyOf(address));
    else if (isIP(text) !== 0) networks.addAddress(text, familyOf(text));
    else hosts.add(text.toLowerCase());
  }
  return { hosts, networks };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits = ""] = network.split("/");
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

/** What the registries of special addresses (RFC 6890 and those after it) do not call globally reachable, and multicast. */
const special = listOf([
  ..."0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24".split(" "),
  ..."192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3".split(" "),
  ..."2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20".split(" "),
]);
const globalUnicast = listOf(["2000::/3"]);
const loopback = listOf(["127.0.0.0/8", "::1/128"]);

/** An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`), as itself. */
function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address;
}

/** Whether anybody on the internet can be meant by this address. */
export function isPublicAddress(given: string): boolean {
  const address = plain(given);
  if (isIP(address) === 0) return false;
  const family = familyOf(address);
  return !special.check(address, family) && (family === "ipv4" || globalUnicast.check(address, family));
}

/** Whether a webhook may be sent to this address, which the host name has just been resolved to. Without TLS only on this machine, and if allowed. */
export function mayReach({ hosts, networks }: WebhookRules, url: URL, given: string): boolean {
  const address = plain(given);
  const family = familyOf(address);
  const isAllowed = hosts.has(hostOf(url)) || networks.check(address, family);
  if (url.protocol === "https:") return isAllowed || isPublicAddress(address);
  return isAllowed && loopback.check(address, family);
}

/** The host of a URL, without the brackets of an IPv6 address. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "").toLowerCase();

/**
 * A webhook's URL. What its name resolves to is looked at before each delivery.
 * @throws DomainError `invalidRequest`
 */
export function readWebhookUrl(rules: WebhookRules, text: string, field: string): URL {
  const fail = (why: string): never => {
    throw new DomainError("invalidRequest", `${field}: ${why}`, { field });
  };
  const url = URL.parse(text) ?? fail("is no URL");
  if (text.length > 2048) fail("is longer than 2048 characters");
  if (url.protocol !== "https:" && url.protocol !== "http:") fail("must be an https URL");
  if (url.username !== "" || url.password !== "") fail("must have no user and no password");
  if (url.hash !== "") fail("must have no fragment");
  const host = hostOf(url);
  const isAddress = isIP(host) !== 0;
  if (isAddress && !mayReach(rules, url, host)) fail("points to an address that webhooks may not be sent to");
  if (!isAddress && url.protocol === "http:" && !rules.hosts.has(host) && host !== "localhost") fail("must be an https URL");
  return url;
}
