import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

/** How another service of this kind is reached: plain data, so that it can be sent to a worker thread. */
export interface PeerAddress {
  /** Base URL without a slash at the end. */
  url: string;
  /** Sent with every request. */
  headers: Record<string, string>;
  /** PEM. `ca`: who signed the peer's certificate, absent = whom the system trusts. `cert` and `key`: what we show. */
  tls: { ca?: string; cert?: string; key?: string };
}

export interface PeerRequest {
  method: "GET" | "POST" | "DELETE";
  /** Below the base URL. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** A longer answer is refused. */
  maxBytes: number;
}

/** How long a peer may say nothing, ms. */
const silenceMs = 30_000;
const connections = 4;

/** Speaks to one peer over a few kept connections. Over HTTPS the peer's certificate is always verified. */
export class PeerClient {
  readonly #address: PeerAddress;
  readonly #agent: HttpAgent;
  readonly #send: typeof httpRequest;

  constructor(address: PeerAddress) {
    this.#address = address;
    const isSecure = address.url.startsWith("https:");
    this.#send = isSecure ? httpsRequest : httpRequest;
    const options = { keepAlive: true, maxSockets: connections };
    this.#agent = isSecure ? new HttpsAgent({ ...options, ...address.tls, minVersion: "TLSv1.2" }) : new HttpAgent(options);
  }

  /** Status and body, whatever the status. Throws when there was no answer, or not a whole one. */
  request({ method, path, body, signal, maxBytes }: PeerRequest): Promise<{ status: number; body: Buffer }> {
    const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      ...this.#address.headers,
      ...(sent === undefined ? {} : { "content-type": "application/json", "content-length": String(sent.length) }),
    };
    return new Promise((resolve, reject) => {
      const request = this.#send(this.#address.url + path, { method, headers, agent: this.#agent, ...(signal === undefined ? {} : { signal }) });
      request.setTimeout(silenceMs, () => request.destroy(new Error(`no answer for ${silenceMs / 1000} s`)));
      request.on("error", reject);
      request.on("response", (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on("data", (part: Buffer) => {
          length += part.length;
          if (length > maxBytes) request.destroy(new Error(`an answer of more than ${maxBytes} bytes`));
          else parts.push(part);
        });
        response.on("error", reject);
        response.on("end", () => {
          if (response.complete) resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts, length) });
          else reject(new Error("the answer was cut short"));
        });
      });
      request.end(sent);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
