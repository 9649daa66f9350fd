import { createHash, createHmac } from "node:crypto";

const hash = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/**
 * Signs a plain request (no characters that need encoding, query already in order) as the public SDKs do (`Access=`), for tests. It shares nothing
 * with the verifier.
 */
export function signedHeaders(
  request: {
    method: string;
    path: string;
    query?: string;
    body?: string;
    date: string;
    host: string;
    headers?: Record<string, string>;
    unsigned?: Record<string, string>;
  },
  key: { id: string; secret: string },
): Record<string, string> {
  const { method, path, query = "", body = "", date, host, headers = {}, unsigned = {} } = request;
  const all: Record<string, string> = { ...headers, host, "x-sdk-date": date };
  const names = Object.keys(all).sort();
  const canonical = [
    method,
    path.endsWith("/") ? path : `${path}/`,
    query,
    ...names.map((name) => `${name}:${all[name]}`),
    "",
    names.join(";"),
    hash(body),
  ].join("\n");
  const signature = createHmac("sha256", key.secret)
    .update(`SDK-HMAC-SHA256\n${date}\n${hash(canonical)}`)
    .digest("hex");
  return { ...all, ...unsigned, authorization: `SDK-HMAC-SHA256 Access=${key.id}, SignedHeaders=${names.join(";")}, Signature=${signature}` };
}

/** `YYYYMMDDThhmmssZ` of an instant in microseconds. */
export const sdkDate = (us: number): string =>
  new Date(us / 1000)
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(/[-:]/g, "");
