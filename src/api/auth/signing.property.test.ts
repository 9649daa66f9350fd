import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { canonicalRequests, hashText, olderCanonicalRequests } from "./canonical-request.ts";
import { createHmac } from "node:crypto";
import { parseAuthorization, parseSdkDate, signatureProblem } from "./signing.ts";

const secret = "devsecretkey000000000000000000000000000001";
const date = "20261121T030000Z";
const nowUs = parseSdkDate(date)!;

interface Sample {
  method: string;
  segments: string[];
  query: [string, string][];
  headers: Record<string, string>;
  body: Uint8Array;
}
interface Wire {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

const word = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme" }).filter((text) => text.isWellFormed());
const sample: fc.Arbitrary<Sample> = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
  segments: fc.array(word, { maxLength: 4 }),
  query: fc.array(fc.tuple(word, word), { maxLength: 4 }),
  headers: fc.record({
    host: fc.constant("127.0.0.1:8799"),
    "x-project-id": fc.stringMatching(/^[0-9a-f]{32}$/),
    "x-note": fc.stringMatching(/^[!-~]{1,20}$/),
  }),
  body: fc.uint8Array({ maxLength: 64 }),
});
function wireOf({ method, segments, query, headers, body }: Sample): Wire {
  const pairs = query.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
  const url = `/${segments.map(encodeURIComponent).join("/")}${pairs === "" ? "" : `?${pairs}`}`;
  return { method, url, headers: { ...headers, "x-sdk-date": date }, body };
}

/** Signs with our own canonical form: what is tested here is what a change does to a signature, not the form itself. */
function sign(wire: Wire, older: boolean): string {
  const signedHeaders = Object.keys(wire.headers).sort();
  const request = { ...wire, header: (name: string) => wire.headers[name], signedHeaders };
  const [canonical = ""] = older ? olderCanonicalRequests(request) : canonicalRequests(request);
  const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const names = signedHeaders.join(";");
  if (!older) {
    const signature = hmac(secret, ["SDK-HMAC-SHA256", date, hashText(canonical)].join("\n")).toString("hex");
    return `SDK-HMAC-SHA256 Access=AK, SignedHeaders=${names}, Signature=${signature}`;
  }
  const scope = `${date.slice(0, 8)}///sdk_request`;
  const key = hmac(hmac(hmac(hmac(`SDK${secret}`, date.slice(0, 8)), ""), ""), "sdk_request");
  const signature = hmac(key, ["SDK-HMAC-SHA256", date, scope, hashText(canonical)].join("\n")).toString("hex");
  return `SDK-HMAC-SHA256 Credential=AK/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

function problemOf(wire: Wire, header: string, at = nowUs, sk = secret): string | undefined {
  const authorization = parseAuthorization(header);
  assert.ok(authorization);
  return signatureProblem({ ...wire, header: (name) => wire.headers[name], signedHeaders: authorization.signedHeaders }, authorization, sk, at);
}

for (const older of [false, true]) {
  describe(older ? "Credential= scheme" : "Access= scheme", () => {
    test("an untouched request is accepted", () => {
      fc.assert(fc.property(sample, (given) => assert.equal(problemOf(wireOf(given), sign(wireOf(given), older)), undefined)));
    });

    test("a change of any signed part is refused", () => {
      const tampers: Record<string, (wire: Wire) => Wire> = {
        method: (wire) => ({ ...wire, method: wire.method === "GET" ? "HEAD" : "GET" }),
        path: (wire) => ({ ...wire, url: wire.url.replace(/^\//, "/x") }),
        query: (wire) => ({ ...wire, url: `${wire.url}${wire.url.includes("?") ? "&" : "?"}zzzzzzzzzzzzzzzz=1` }),
        body: (wire) => ({ ...wire, body: Uint8Array.of(...wire.body, 0) }),
        "x-note": (wire) => ({ ...wire, headers: { ...wire.headers, "x-note": `${wire.headers["x-note"]}x` } }),
        "x-project-id": (wire) => ({ ...wire, headers: { ...wire.headers, "x-project-id": "f".repeat(31) } }),
        host: (wire) => ({ ...wire, headers: { ...wire.headers, host: "evil.example" } }),
        "x-sdk-date": (wire) => ({ ...wire, headers: { ...wire.headers, "x-sdk-date": "20261121T030001Z" } }),
      };
      fc.assert(
        fc.property(sample, fc.constantFrom(...Object.keys(tampers)), (given, part) => {
          const wire = wireOf(given);
          assert.notEqual(problemOf(tampers[part]!(wire), sign(wire, older)), undefined, part);
        }),
        { numRuns: 300 },
      );
    });

    test("another secret, another signature and a skewed clock are refused", () => {
      const wire = wireOf({ method: "GET", segments: ["v3"], query: [], headers: { host: "h" }, body: new Uint8Array() });
      const header = sign(wire, older);
      assert.match(problemOf(wire, header, nowUs, "other") ?? "", /signature/);
      const last = header.at(-1) === "0" ? "1" : "0";
      assert.match(problemOf(wire, header.slice(0, -1) + last) ?? "", /signature/);
      const quarter = 15 * 60 * 1_000_000;
      assert.equal(problemOf(wire, header, nowUs + quarter), undefined);
      assert.equal(problemOf(wire, header, nowUs - quarter), undefined);
      assert.match(problemOf(wire, header, nowUs + quarter + 1) ?? "", /15 minutes/);
      assert.match(problemOf(wire, header, nowUs - quarter - 1) ?? "", /15 minutes/);
    });
  });
}

test("a stated payload hash that is not the body's is refused; so is an unsigned JSON body", () => {
  const wire: Wire = {
    method: "PUT",
    url: "/",
    headers: { "x-sdk-date": date, "x-sdk-content-sha256": "UNSIGNED-PAYLOAD" },
    body: Buffer.from("{}"),
  };
  const header = sign(wire, false);
  assert.equal(problemOf(wire, header), undefined);
  assert.match(problemOf({ ...wire, headers: { ...wire.headers, "content-type": "application/json" } }, header) ?? "", /JSON/);
  const wrong = { ...wire, headers: { ...wire.headers, "x-sdk-content-sha256": "0".repeat(64) } };
  assert.match(problemOf(wrong, header) ?? "", /hash of the body/);
});

test("a date that is not signed is refused", () => {
  const wire: Wire = { method: "GET", url: "/", headers: { host: "h" }, body: new Uint8Array() };
  const header = sign(wire, false);
  assert.match(problemOf({ ...wire, headers: { host: "h", "x-sdk-date": date } }, header) ?? "", /not signed/);
});

test("any Authorization text is taken apart or refused, never thrown over", () => {
  const pieces = fc.constantFrom(
    "SDK-HMAC-SHA256 ",
    "Access=AK",
    "Credential=AK/20261121///sdk_request",
    ", ",
    "SignedHeaders=host;x-sdk-date",
    `Signature=${"a".repeat(64)}`,
    "=",
    "/",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.oneof(pieces, fc.string()), { maxLength: 8 }).map((parts) => parts.join("")),
      ),
      (text) => {
        const authorization = parseAuthorization(text);
        if (authorization !== undefined) assert.match(authorization.signature, /^[0-9a-f]{64}$/);
      },
    ),
  );
  for (const name of ["V11-HMAC-SHA256", "SDK-HMAC-SM3", "SDK-ECDSA-P256-SHA256", "SDK-SM2-SM3", "Bearer"]) {
    assert.equal(parseAuthorization(`${name} Access=AK, SignedHeaders=x-sdk-date, Signature=${"a".repeat(64)}`), undefined);
  }
});

test("any request, however malformed, gets a problem or none, never an exception", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), fc.string({ unit: "binary-ascii" }), fc.boolean(), (url, value, older) => {
      const header = older ? `Credential=AK/20261121///sdk_request` : "Access=AK";
      const authorization = parseAuthorization(`SDK-HMAC-SHA256 ${header}, SignedHeaders=x-sdk-date;x-any, Signature=${"0".repeat(64)}`);
      assert.ok(authorization);
      const headers: Record<string, string> = { "x-sdk-date": date, "x-any": value };
      const problem = signatureProblem(
        { method: "GET", url, header: (name) => headers[name], signedHeaders: authorization.signedHeaders, body: new Uint8Array() },
        authorization,
        secret,
        nowUs,
      );
      assert.equal(typeof problem, "string");
    }),
  );
});
