import { lookup } from "node:dns/promises";
import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { LookupFunction } from "node:net";
import type { Clock } from "#platform/clock.ts";
import { hostOf, mayReach, type WebhookRules } from "./webhookTarget.ts";

/** What became of one attempt: the status of an answer, or why there was none, in words that tell nothing of the network here. */
export type Sent = { status: number } | { error: string };

export interface SendOptions {
  rules: WebhookRules;
  clock: Clock;
  timeoutMs: number;
  /** Every address of a name; default: the machine's resolver. */
  resolve?: (host: string) => Promise<string[]>;
}

const resolveByMachine = async (host: string): Promise<string[]> => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Words for what the tenant can do something about. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  ETIMEDOUT: "it could not be reached in time",
  EHOSTUNREACH: "it could not be reached",
  ENETUNREACH: "it could not be reached",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not trusted",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

/**
 * Posts once. The address is looked up first and held against the rules; the connection goes to that very address, so that a name that resolves to
 * something else a moment later changes nothing. Every address of the name must be permitted. Redirects are answers like any other.
 */
export async function sendWebhook(url: URL, body: string, headers: Readonly<Record<string, string>>, options: SendOptions): Promise<Sent> {
  const { rules, clock, timeoutMs, resolve = resolveByMachine } = options;
  const over = new AbortController();
  const timeout = clock.sleep(timeoutMs, over.signal).then(
    (): Sent => ({ error: "it did not answer in time" }),
    (): Sent => ({ error: "it was not waited for" }),
  );
  const attempt = async (): Promise<Sent> => {
    const host = hostOf(url);
    let addresses: string[];
    try {
      addresses = isIP(host) === 0 ? await resolve(host) : [host];
    } catch {
      return { error: "its name could not be resolved" };
    }
    const [address] = addresses;
    if (address === undefined) return { error: "its name could not be resolved" };
    if (!addresses.every((each) => mayReach(rules, url, each))) return { error: "its address is none that webhooks may be sent to" };
    return post(url, address, body, headers, over.signal);
  };
  try {
    return await Promise.race([attempt(), timeout]);
  } finally {
    over.abort();
  }
}

function post(url: URL, address: string, body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Sent> {
  const family = isIP(address);
  const pinned: LookupFunction = (_host, { all }, done) => (all === true ? done(null, [{ address, family }]) : done(null, address, family));
  const bytes = Buffer.from(body, "utf8");
  const given: RequestOptions = {
    method: "POST",
    headers: { ...headers, "content-length": String(bytes.length) },
    lookup: pinned,
    agent: false,
    signal,
  };
  return new Promise((resolve) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const asked = send(url, given, (response) => {
      // What it says beyond its status is nobody's here: not read.
      resolve({ status: response.statusCode ?? 0 });
      response.destroy();
    });
    asked.on("error", (error: NodeJS.ErrnoException) => resolve({ error: reasons[error.code ?? ""] ?? "the request failed" }));
    asked.end(bytes);
  });
}
