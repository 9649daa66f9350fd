/** Random requests signed by the public Python SDK's own signer, verified by ours. Skipped by name where there is no Python. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { parseAuthorization, signatureProblem } from "#api/auth/signing.ts";
import { systemClock } from "#platform/clock.ts";

const here = import.meta.dirname;
const environment = join(here, "../../.cache/interop/python-signer");
const python = join(environment, "bin/python");
const hasPython = spawnSync("python3", ["-m", "venv", "--help"], { stdio: "ignore" }).status === 0;
const key = { accessKey: "DEVACCESSKEY00000001", secret: "devsecretkey000000000000000000000000000001" };

// Of a path, the SDK decodes what it is given once more, and `.` segments are the URL's own: both are left out.
const segment = fc.string({ minLength: 1, maxLength: 10, unit: fc.constantFrom(...Array.from("abcXYZ019-_~ ()*!'@+,;:=&$éß测")) });
const value = fc.string({ maxLength: 12, unit: fc.constantFrom(...Array.from("abcXYZ019-_.~ ()*!'@+,;:=&$/?#%éß测")) });
const parameter = fc.oneof(value, fc.array(value, { maxLength: 3 }), fc.boolean(), fc.integer());
const contentType = fc.constantFrom("application/json", "application/json;charset=utf8", "text/plain");
const request = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
  path: fc.array(segment, { maxLength: 4 }).map((segments) => `/${["v3", ...segments].join("/")}`),
  query: fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z_]{1,8}$/), parameter), { maxLength: 4, selector: ([name]) => name }),
  headers: fc.record({ "Content-Type": contentType, "X-Project-Id": fc.constant("0".repeat(32)), "X-Note": value }, { requiredKeys: [] }),
  body: fc.oneof(
    fc.constant(""),
    fc.jsonValue().map((json) => JSON.stringify(json)),
  ),
});

describe("the public Python signer", { skip: hasPython ? false : "python3 with venv is not on this machine" }, () => {
  before(() => {
    if (existsSync(join(environment, "ready"))) return;
    execFileSync("python3", ["-m", "venv", environment]);
    execFileSync(python, ["-m", "pip", "install", "--quiet", "huaweicloudsdkcore==3.1.219"]);
    writeFileSync(join(environment, "ready"), "");
  });

  test("signs random requests that verify, and none with another secret", () => {
    const requests = fc.sample(request, 300);
    const input = JSON.stringify({ ...key, requests });
    const ran = spawnSync(python, [join(here, "python/sign.py")], { input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
    assert.equal(ran.status, 0, ran.stderr);
    const signed = JSON.parse(ran.stdout) as { method: string; url: string; headers: Record<string, string>; bodyBase64: string }[];
    assert.equal(signed.length, requests.length);
    for (const [at, { method, url, headers, bodyBase64 }] of signed.entries()) {
      const authorization = parseAuthorization(headers["authorization"] ?? "");
      assert.ok(authorization);
      const { signedHeaders } = authorization;
      const wire = { method, url, header: (name: string) => headers[name], signedHeaders, body: Buffer.from(bodyBase64, "base64") };
      const now = systemClock.nowUs();
      assert.equal(signatureProblem(wire, authorization, key.secret, now), undefined, `${JSON.stringify(requests[at])} as ${url}`);
      assert.notEqual(signatureProblem(wire, authorization, "another", now), undefined);
    }
  });
});
