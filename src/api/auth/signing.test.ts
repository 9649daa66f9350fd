import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parseAuthorization, parseSdkDate, signatureProblem } from "./signing.ts";

interface Vectors {
  accessKey: string;
  secret: string;
  date: string;
  signer: string;
  requests: { name: string; method: string; url: string; headers: Record<string, string>; bodyBase64: string }[];
}
const folder = new URL("../../../test/vectors/signing/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const load = (name: string): Vectors => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Vectors;

describe("requests signed by the public SDKs", () => {
  for (const file of files) {
    const { accessKey, secret, date, signer, requests } = load(file);
    for (const { name, method, url, headers, bodyBase64 } of requests) {
      test(`${signer}: ${name}`, () => {
        const body = Buffer.from(bodyBase64, "base64");
        const authorization = parseAuthorization(headers["authorization"] ?? "");
        assert.ok(authorization);
        assert.equal(authorization.accessKey, accessKey);
        const request = { method, url, header: (header: string) => headers[header], signedHeaders: authorization.signedHeaders, body };
        assert.equal(signatureProblem(request, authorization, secret, parseSdkDate(date)!), undefined);
      });
    }
  }
});
