import { createHash } from "node:crypto";

/**
 * The canonical request of `SDK-HMAC-SHA256`, as the public SDKs build it: method, path, query, headers, names of the signed headers, payload hash,
 * joined by newlines. All texts are latin1: one character per byte as received, which is how `node:http` gives headers.
 */
export interface SignedRequest {
  method: string;
  /** Path and query as received. */
  url: string;
  /** Value of a header by its lower-case name; undefined when absent. */
  header(name: string): string | undefined;
  signedHeaders: readonly string[];
  body: Uint8Array;
}

/** A part of the request does not decode, or a signed header is missing. The message tells which. */
export class CanonicalFormError extends Error {
  override readonly name = "CanonicalFormError";
}

const sha256Hex = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");
export const hashText = (latin1: string): string => sha256Hex(Buffer.from(latin1, "latin1"));

/** Percent-decodes to UTF-8. */
function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new CanonicalFormError(`${what} is not percent-encoded UTF-8`);
  }
}

/** Leaves letters, digits, `-`, `_`, `.` and `~`; upper-case hex. */
const encode = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function split(url: string): { path: string; query: string } {
  const at = url.indexOf("?");
  return at === -1 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

function canonicalPath(path: string): string {
  const encoded = path
    .split("/")
    .map((segment) => encode(decode(segment, "the path")))
    .join("/");
  return encoded.endsWith("/") ? encoded : `${encoded}/`;
}

type Pair = readonly [name: string, value: string];

function pairsOf(query: string, plusIsSpace: boolean): Pair[] {
  const text = plusIsSpace ? query.replaceAll("+", "%20") : query;
  return text
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf("=");
      return at === -1 ? [decode(part, "the query"), ""] : [decode(part.slice(0, at), "the query"), decode(part.slice(at + 1), "the query")];
    });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const join = (pairs: readonly Pair[]): string => pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");

/** Header values are trimmed; `fold` also turns each run of white space into one space. */
function headerLines(request: SignedRequest, fold: boolean): string {
  return request.signedHeaders
    .map((name) => {
      const value = request.header(name);
      if (value === undefined) throw new CanonicalFormError(`the signed header ${name} is missing`);
      return `${name}:${(fold ? value.replace(/\s+/g, " ") : value).trim()}\n`;
    })
    .join("");
}

/**
 * The payload hashes that may stand in the canonical request. A stated hash must be that of the body; `UNSIGNED-PAYLOAD` is for what is not JSON.
 * SDKs differ on whether a statement counts when there is no body.
 */
function payloadHashes(request: SignedRequest): string[] {
  const actual = sha256Hex(request.body);
  const stated = request.header("x-sdk-content-sha256")?.trim();
  if (stated === undefined) return [actual];
  if (stated === "UNSIGNED-PAYLOAD") {
    const type = request.header("content-type") ?? "";
    if (/^\s*application\/(json|bson)/i.test(type)) throw new CanonicalFormError("a JSON body has to be signed");
    return request.body.length === 0 ? [stated, actual] : [stated];
  }
  if (stated.toLowerCase() !== actual) throw new CanonicalFormError("X-Sdk-Content-Sha256 is not the hash of the body");
  return stated === actual ? [actual] : [stated, actual];
}

function assemble(request: SignedRequest, query: string, fold: boolean, payloadHash: string): string {
  return [
    request.method.toUpperCase(),
    canonicalPath(split(request.url).path),
    query,
    headerLines(request, fold),
    request.signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
}

/** Canonical requests that the current SDKs (`Access=`) may have signed for this request. */
export function canonicalRequests(request: SignedRequest): string[] {
  const pairs = pairsOf(split(request.url).query, false).sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
  return payloadHashes(request).map((hash) => assemble(request, join(pairs), false, hash));
}

/** The same for the older scheme (`Credential=`). */
export function olderCanonicalRequests(request: SignedRequest): string[] {
  const pairs = pairsOf(split(request.url).query, true);
  const firsts = pairs.filter(([name], at) => pairs.findIndex(([other]) => other === name) === at);
  const byName = firsts.sort((a, b) => compare(encode(a[0]).toLowerCase(), encode(b[0]).toLowerCase()) || compare(a[0], b[0]));
  const canonical = payloadHashes(request).map((hash) => assemble(request, join(byName), true, hash));
  if (request.method.toUpperCase() === "POST" && request.body.length === 0 && request.header("x-sdk-content-sha256") === undefined) {
    const all = pairs.toSorted((a, b) => compare(a[0], b[0]));
    canonical.unshift(assemble(request, "", true, sha256Hex(join(all).replaceAll("%20", "+"))));
  }
  return canonical;
}
