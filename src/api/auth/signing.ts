import { createHmac, timingSafeEqual } from "node:crypto";
import { parseUtc } from "#model/timestamps.ts";
import { canonicalRequests, CanonicalFormError, hashText, olderCanonicalRequests, type SignedRequest } from "./canonical-request.ts";

/** The only algorithm that is accepted. Two schemes share the name; `Access=` and `Credential=` tell them apart. */
export const algorithm = "SDK-HMAC-SHA256";
/** Most that `X-Sdk-Date` may differ from our clock. */
export const maxSkewUs = 15 * 60 * 1_000_000;
const maxSignedHeaders = 64;

/** An `Authorization` header, taken apart. */
export interface Authorization {
  accessKey: string;
  /** Lower case, in the order given. */
  signedHeaders: readonly string[];
  /** 64 lower-case hex digits. */
  signature: string;
  /** Of the older scheme: date, region, service. */
  scope: { date: string; region: string; service: string } | undefined;
}

const token = /^[A-Za-z0-9_.-]{1,128}$/;
const headerName = /^[!#$%&'*+.^`|~0-9a-z-]{1,128}$/;

/** Reads the header; undefined when it is of no known scheme. Never throws. */
export function parseAuthorization(header: string): Authorization | undefined {
  if (header.length > 8192 || !header.startsWith(`${algorithm} `)) return undefined;
  const fields = new Map<string, string>();
  for (const part of header.slice(algorithm.length + 1).split(",")) {
    const at = part.indexOf("=");
    if (at === -1) return undefined;
    const name = part.slice(0, at).trim();
    if (fields.has(name)) return undefined;
    fields.set(name, part.slice(at + 1).trim());
  }
  const access = fields.get("Access");
  const credential = fields.get("Credential");
  const signature = fields.get("Signature") ?? "";
  const signedHeaders = (fields.get("SignedHeaders") ?? "").toLowerCase().split(";");
  if (fields.size !== 3 || !/^[0-9a-f]{64}$/i.test(signature)) return undefined;
  if (signedHeaders.length > maxSignedHeaders || new Set(signedHeaders).size !== signedHeaders.length) return undefined;
  if (!signedHeaders.every((name) => headerName.test(name))) return undefined;
  const common = { signedHeaders, signature: signature.toLowerCase() };
  if (access !== undefined) return token.test(access) ? { accessKey: access, scope: undefined, ...common } : undefined;
  const [accessKey = "", date = "", region = "", service = "", last, ...rest] = (credential ?? "").split("/");
  if (!token.test(accessKey) || !/^\d{8}$/.test(date) || last !== "sdk_request" || rest.length > 0) return undefined;
  return { accessKey, scope: { date, region, service }, ...common };
}

/** The instant of `YYYYMMDDThhmmssZ`; undefined for anything else. */
export function parseSdkDate(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  return parseUtc(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac("sha256", key).update(text, "latin1").digest();

/**
 * Why the signature is not the one that the holder of the secret makes over this request; undefined when it is.
 * `nowUs` is our time. The secret is the SK in clear.
 */
export function signatureProblem(request: SignedRequest, authorization: Authorization, secret: string, nowUs: number): string | undefined {
  const date = request.header("x-sdk-date")?.trim() ?? "";
  const at = parseSdkDate(date);
  if (at === undefined) return "X-Sdk-Date is missing or not of the form YYYYMMDDThhmmssZ";
  if (Math.abs(at - nowUs) > maxSkewUs) return "X-Sdk-Date is more than 15 minutes from the server's time";
  if (!authorization.signedHeaders.includes("x-sdk-date")) return "X-Sdk-Date is not signed";
  const { scope } = authorization;
  try {
    if (scope === undefined) {
      const texts = canonicalRequests(request).map((canonical) => [algorithm, date, hashText(canonical)].join("\n"));
      return matches(texts, Buffer.from(secret, "utf8"), authorization.signature);
    }
    if (scope.date !== date.slice(0, 8)) return "the date of the credential is not that of X-Sdk-Date";
    const { date: day, region, service } = scope;
    const key = hmac(hmac(hmac(hmac(Buffer.from(`SDK${secret}`, "utf8"), day), region), service), "sdk_request");
    const scopeText = `${day}/${region}/${service}/sdk_request`;
    const texts = olderCanonicalRequests(request).map((canonical) => [algorithm, date, scopeText, hashText(canonical)].join("\n"));
    return matches(texts, key, authorization.signature);
  } catch (error) {
    if (error instanceof CanonicalFormError) return error.message;
    throw error;
  }
}

function matches(texts: readonly string[], key: Uint8Array, signature: string): string | undefined {
  const given = Buffer.from(signature, "hex");
  const found = texts.filter((text) => timingSafeEqual(hmac(key, text), given)).length > 0;
  return found ? undefined : "the signature does not match";
}
