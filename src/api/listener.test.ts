import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Type } from "@sinclair/typebox";
import fc from "fast-check";
import { fastify } from "fastify";
import type { Log } from "#platform/log.ts";
import { silentLog } from "#platform/log.ts";
import { devProjectId, otherProjectId, startHarness, type Harness } from "../../test/support/identity-listener.ts";
import { dialectOfPath, rewriteByHost } from "./http/paths.ts";
import { defineRoute } from "./http/route.ts";
import { listRoutes, registerRoutes } from "./http/routes.ts";

let harness: Harness;
let demo: string;
const logged: { fields: Record<string, unknown>; message: string }[] = [];
const log: Log = {
  ...silentLog,
  error: (fields, message) => void logged.push({ fields: fields as Record<string, unknown>, message }),
  child: () => log,
};

before(async () => {
  harness = await startHarness({ log });
  demo = await harness.login();
});
after(() => harness.close());

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into bodies of any shape
type Body = any;
type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
async function ask(method: Method, url: string, headers: Record<string, string> = {}, payload?: string | Buffer, at = harness) {
  const answer = await at.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  const isJson = String(answer.headers["content-type"]).includes("json") && answer.body !== "";
  const body: Body = isJson ? JSON.parse(answer.body) : undefined;
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, body };
}

const places = {
  cbr: [`/v3/${devProjectId}/backups`, `/cbr/v3/${devProjectId}/vaults`],
  cinder: [`/volume/v3/${devProjectId}/backups`, `/volume/v2/${devProjectId}/backups`, `/v2/${devProjectId}/backups/detail`],
  opencbr: [`/opencbr/v1/${devProjectId}/resources`],
};
const all = Object.entries(places).flatMap(([dialect, paths]) => paths.map((path) => [dialect, path] as const));
const statusIn = (dialect: string, body: Body): number | undefined =>
  dialect === "cinder"
    ? (Object.values(body)[0] as { code: number }).code
    : typeof body.error_code === "string" && body.error_msg !== ""
      ? undefined
      : NaN;

describe("isolation, in every dialect", () => {
  test("no token, an unknown one and one without a project", async () => {
    const unscoped = await harness.login("demo", null);
    for (const [dialect, path] of all) {
      const refused: Record<string, string>[] = [{}, { "x-auth-token": "nonsense" }, { "x-auth-token": "" }];
      for (const headers of refused) {
        const { status, headers: answered, body } = await ask("GET", path, headers);
        assert.equal(status, 401, path);
        assert.match(String(answered["www-authenticate"]), /^Keystone uri="http:\/\/.*\/identity\/v3"$/);
        if (dialect === "cinder") assert.equal(body.unauthorized.code, 401);
        else assert.deepEqual([body.error_code, body.request_id], ["APIGW.0301", answered["x-request-id"]]);
      }
      assert.equal((await ask("GET", path, { "x-auth-token": unscoped })).status, 403, path);
      assert.equal((await ask("GET", path, { "x-auth-token": demo })).status, 200, path);
    }
  });

  test("a token of one project is 403 on the path of another, in the dialect's shape", async () => {
    for (const [dialect, path] of all) {
      const { status, body } = await ask("GET", path.replace(devProjectId, otherProjectId), { "x-auth-token": demo });
      assert.equal(status, 403, path);
      const code = statusIn(dialect, body);
      assert.ok(code === undefined || code === 403, JSON.stringify(body));
    }
  });

  /** Queries too large for a URL. */
  const postsThatLook = new Set(["ShowVaultResourceInstances", "CheckAgent"]);

  test("a reader may look and do nothing else", async () => {
    const reader = await harness.login("reader");
    const done = new Set<string>();
    for (const { path, route, dialect } of listRoutes(harness.app)) {
      if (dialect === "identity" || route.access === "public" || !path.includes(":project_id")) continue;
      const url = path
        .replace(":project_id", devProjectId)
        .replace(":target_id", devProjectId)
        .replaceAll(/:\w+/g, "3aff9fc0-6d2f-4c1e-9f3b-000000000001");
      const { status } = await ask(route.method, url, { "x-auth-token": reader });
      // The bytes of a disk are more than a look at it, and what is an administrator's is so for those who only look too.
      const isLook =
        ((route.method === "GET" || route.method === "HEAD") && !/:readData$|:admin:/.test(route.action)) || postsThatLook.has(route.operation);
      if (isLook) assert.notEqual(status, 403, `${route.method} ${path}`);
      else assert.equal(status, 403, `${route.method} ${path}`);
      done.add(route.method);
    }
    for (const method of ["GET", "POST", "PUT", "DELETE"]) assert.ok(done.has(method), method);
  });
});

describe("what no route answers", () => {
  test("an unknown path has the shape of whose path it is, and a request id", async () => {
    const gateway = [404, "APIGW.0101"];
    for (const path of ["/nope", `/v3/${devProjectId}/nope`, "/cbr/nope", `/opencbr/v1/${devProjectId}/nope`]) {
      const { status, body, headers } = await ask("GET", path, { "x-auth-token": demo });
      assert.deepEqual([status, body.error_code], gateway, path);
      assert.equal(body.request_id, headers["x-request-id"]);
    }
    for (const path of ["/volume/nope", `/volume/v3/${devProjectId}/nope`, `/v2/${devProjectId}/nope`]) {
      const { status, body, headers } = await ask("GET", path, { "x-auth-token": demo });
      assert.deepEqual([status, body.itemNotFound.code], [404, 404], path);
      assert.equal(headers["x-compute-request-id"], headers["x-request-id"]);
    }
    for (const path of ["/v3/auth/nope", "/v3/projects/a/b", "/v3.0/nope", "/v5/nope", "/identity/nope"]) {
      const { status, body } = await ask("GET", path);
      assert.deepEqual([status, body.error.code, body.error.title], [404, 404, "Not Found"], path);
    }
  });

  test("a wrong method is 405 with Allow where the dialect knows that, 404 behind the gateway", async () => {
    const volume = await ask("PATCH", `/volume/v3/${devProjectId}/backups`, { "x-auth-token": demo });
    assert.deepEqual([volume.status, volume.body.badMethod.code, volume.headers["allow"]], [405, 405, "GET, POST"]);
    const identity = await ask("PUT", "/v3/auth/tokens");
    assert.deepEqual([identity.status, identity.body.error.code, identity.headers["allow"]], [405, 405, "DELETE, GET, POST"]);
    assert.deepEqual((await ask("PATCH", `/v3/${devProjectId}/vaults`)).body.error_code, "APIGW.0101");
  });

  test("a URL that does not decode is 400", async () => {
    for (const [path, key] of [
      ["/v3/%zz/backups", "error_code"],
      ["/volume/v3/%zz/backups", "badRequest"],
    ] as const) {
      const { status, body } = await ask("GET", path, { "x-auth-token": demo });
      assert.equal(status, 400);
      assert.ok(key in body, JSON.stringify(body));
    }
  });
});

describe("bodies", () => {
  const headers = () => ({ "x-auth-token": demo, "content-type": "application/json" });

  test("malformed JSON, no body and wrong types are 400 and name the field", async () => {
    for (const payload of ["{", "\u0000", "[1,", '"', Buffer.from([0x7b, 0xff, 0x7d])]) {
      const cbr = await ask("POST", `/v3/${devProjectId}/vaults`, headers(), payload);
      assert.deepEqual([cbr.status, cbr.body.error_code], [400, "BackupService.9900"]);
      assert.match(cbr.body.error_msg, /^body: /);
      const cinder = await ask("POST", `/volume/v3/${devProjectId}/backups`, headers(), payload);
      assert.deepEqual([cinder.status, cinder.body.badRequest.code], [400, 400]);
    }
    assert.match((await ask("POST", `/v3/${devProjectId}/vaults`, headers())).body.error_msg, /^body: is required/);
    assert.match((await ask("POST", `/v3/${devProjectId}/vaults`, headers(), '{"vault":{"name":7}}')).body.error_msg, /^vault\./);
  });

  test("a body over the limit is 413 in the dialect's shape", async () => {
    const payload = Buffer.alloc(1024 * 1024 + 1, "x");
    const cbr = await ask("POST", `/v3/${devProjectId}/vaults`, headers(), payload);
    assert.deepEqual([cbr.status, cbr.body.error_code], [413, "APIGW.0201"]);
    const cinder = await ask("POST", `/volume/v3/${devProjectId}/backups`, headers(), payload);
    assert.deepEqual([cinder.status, cinder.body.overLimit.code], [413, 413]);
  });

  test("any body is answered with a 4xx at most, never a 5xx", async () => {
    const paths = [
      `/v3/${devProjectId}/vaults`,
      `/v3/${devProjectId}/checkpoints`,
      "/v3/auth/tokens",
      "/v3.0/OS-CREDENTIAL/securitytokens",
      `/volume/v3/${devProjectId}/backups`,
    ];
    const known = fc.constantFrom(
      "auth",
      "identity",
      "methods",
      "password",
      "token",
      "user",
      "scope",
      "project",
      "domain",
      "id",
      "name",
      "vault",
      "checkpoint",
      "backup",
      "billing",
      "parameters",
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: "small" }, fc.jsonValue({ maxDepth: 1 }), fc.dictionary(fc.oneof(known, fc.string()), tie("tree"), { maxKeys: 4 })),
    }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), tree, async (path, value) => {
        const { status, body } = await ask("POST", path, headers(), JSON.stringify(value));
        assert.ok(status >= 400 && status < 500, `${status} ${path} ${JSON.stringify(value)}`);
        assert.equal(typeof body, "object");
      }),
      { numRuns: 150 },
    );
  });

  test("any token and any Authorization header is 401, never a 5xx", async () => {
    const header = fc.stringMatching(/^[ -~]{0,60}$/);
    const piece = fc.constantFrom(
      "SDK-HMAC-SHA256 Access=DEVACCESSKEY00000001, SignedHeaders=",
      "host;x-sdk-date",
      ", Signature=",
      "0".repeat(64),
      "Credential=DEVACCESSKEY00000001/20260101///sdk_request",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(piece, header), { maxLength: 5 }), fc.boolean(), async (parts, asToken) => {
        const text = parts.join("");
        const { status } = await ask(
          "GET",
          `/v3/${devProjectId}/vaults`,
          asToken ? { "x-auth-token": text } : { authorization: text, "x-sdk-date": "20260101T000000Z" },
        );
        assert.equal(status, 401);
      }),
      { numRuns: 150 },
    );
    const [head = "", claims = "", signature = ""] = demo.split(".");
    const flip = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1);
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    for (const text of [
      `${head}.${flip(claims)}.${signature}`,
      `${head}.${claims}.${flip(signature)}`,
      `${none}.${claims}.`,
      `${none}.${claims}.${signature}`,
      `${head}.${claims}`,
      "a".repeat(10_000),
    ]) {
      assert.equal((await ask("GET", `/v3/${devProjectId}/vaults`, { "x-auth-token": text })).status, 401);
    }
  });
});

describe("defects of ours", () => {
  test("are a 500 that tells nothing, in every shape, logged with the request id", async () => {
    const own = await startHarness({ log });
    try {
      const secret = "a secret /path/of/the/host";
      own.context.catalog.vaults.list = own.context.catalog.backups.list = async () => {
        throw new Error(secret);
      };
      const token = { "x-auth-token": await own.login() };
      logged.length = 0;
      const cbr = await ask("GET", `/v3/${devProjectId}/vaults`, token, undefined, own);
      assert.deepEqual([cbr.status, cbr.body.error_code], [500, "BackupService.9910"]);
      const cinder = await ask("GET", `/volume/v3/${devProjectId}/backups`, token, undefined, own);
      assert.deepEqual([cinder.status, cinder.body.computeFault.code], [500, 500]);
      for (const { text } of [cbr, cinder]) assert.ok(!text.includes("secret"));
      assert.deepEqual(
        logged.map(({ fields }) => [fields["requestId"], (fields["err"] as Error).message]),
        [cbr, cinder].map(({ headers }) => [headers["x-request-id"], secret]),
      );
    } finally {
      await own.close();
    }
  });
});

describe("routing", () => {
  test("host rules win over paths, and leave our own paths alone", () => {
    const id = devProjectId;
    const cases: [string, string, string][] = [
      ["iam.r1.example", "/v3/auth/tokens", "/identity/v3/auth/tokens"],
      ["IAM.r1.example:443", "/", "/identity/"],
      ["cbr.r1.example", `/v3/${id}/backups?limit=1`, `/cbr/v3/${id}/backups?limit=1`],
      ["evs.r1.example", `/v2/${id}/backups`, `/volume/v2/${id}/backups`],
      ["vbs.r1.example", `/v2/${id}/backups`, `/volume/v2/${id}/backups`],
      ["volume.r1.example", `/volume/v3/${id}/backups`, `/volume/v3/${id}/backups`],
      ["cinder.r1.example", "/healthz", "/healthz"],
      ["backup.example", `/v3/${id}/backups`, `/v3/${id}/backups`],
      ["cbrx.example", "/v3", "/v3"],
    ];
    for (const [host, url, expected] of cases) assert.equal(rewriteByHost(host, url), expected, host);
  });

  test("with host rules one path means another service by another name, and the catalog leads to these names", async () => {
    const own = await startHarness({ hostRules: true });
    try {
      const path = `/v3/${devProjectId}/backups`;
      const token = { "x-auth-token": await own.login() };
      assert.ok("count" in (await ask("GET", path, { ...token, host: "cbr.r1.example" }, undefined, own)).body);
      assert.deepEqual((await ask("GET", path, { ...token, host: "evs.r1.example" }, undefined, own)).body, { backups: [] });
      assert.equal((await ask("GET", `/v3/${devProjectId}/nope`, { ...token, host: "evs.r1.example" }, undefined, own)).body.itemNotFound.code, 404);
      const { body } = await ask("GET", "/v3/auth/catalog", { ...token, host: "iam.r1.example" }, undefined, own);
      const urls = Object.fromEntries(body.catalog.map(({ type, endpoints }: Body) => [type, endpoints[0].url]));
      assert.equal(urls.cbr, `http://cbr.r1.example/v3/${devProjectId}`);
      assert.equal(urls.volumev3, `http://evs.r1.example/v3/${devProjectId}`);
      assert.equal(urls.vbs, `http://vbs.r1.example/v2/${devProjectId}`);
      assert.equal(urls.identity, "http://iam.r1.example/v3");
      for (const type of ["cbr", "volumev3", "vbs"]) {
        const { host, pathname } = new URL(urls[type]);
        assert.equal((await ask("GET", `${pathname}/backups`, { ...token, host }, undefined, own)).status, 200, type);
      }
    } finally {
      await own.close();
    }
  });

  test("every URL of the catalog is served", async () => {
    const { body } = await ask("GET", "/v3/auth/catalog", { "x-auth-token": demo });
    for (const { type, endpoints } of body.catalog) {
      const { pathname } = new URL(endpoints[0].url);
      const path = type === "identity" ? pathname : `${pathname}/backups`;
      assert.equal((await ask("GET", path, { "x-auth-token": demo })).status, 200, path);
    }
  });

  test("each path belongs to one dialect", () => {
    assert.deepEqual(
      [
        "/",
        "/v3",
        "/v3/auth/x",
        "/v3/projects",
        "/v3/projectsx/y",
        `/v3/${devProjectId}/x`,
        "/volume",
        "/v2/x",
        "/v1/x/jobs",
        "/opencbr/x",
        "/x",
      ].map(dialectOfPath),
      ["identity", "identity", "identity", "identity", "cbr", "cbr", "cinder", "cinder", "vbs", "opencbr", "cbr"],
    );
  });

  test("health, readiness, figures and the description are there for everybody", async () => {
    assert.deepEqual((await ask("GET", "/healthz")).body, { status: "ok" });
    for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json"])
      assert.match(String((await ask("GET", path)).headers["x-request-id"]), /^req-/, path);
    assert.deepEqual((await ask("GET", "/readyz")).body, { status: "ready" });
    await ask("GET", `/v3/${devProjectId}/vaults`);
    const { text } = await ask("GET", "/metrics");
    assert.match(text, /opencbr_http_requests_total\{dialect="cbr",operation="\w+",status="401"\} [1-9]/);
    assert.match(text, /process_cpu_seconds_total/);
    assert.equal((await ask("GET", "/openapi.json")).body.openapi, "3.1.0");
    const busy = await startHarness({ isReady: async () => false });
    try {
      assert.equal((await ask("GET", "/readyz", {}, undefined, busy)).status, 503);
    } finally {
      await busy.close();
    }
  });
});

describe("a route", () => {
  test("gets what it asked for, and answers bytes, JSON or nothing", async () => {
    const own = await startHarness();
    const app = fastify();
    app.decorate("api", { ...own.app.api, routes: [] });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    const base = { action: "cbr:things:get", access: "token", successStatus: 201 } as const;
    registerRoutes(
      app,
      "vbs",
      ["/p"],
      [
        defineRoute({
          ...base,
          method: "POST",
          path: "/json/:id",
          operation: "A",
          schema: { body: Type.Object({ n: Type.Integer() }) },
          handler: async ({ body, params, url }) => ({ status: 202, headers: { "x-own": "1" }, body: { n: body.n, params, url } }),
        }),
        defineRoute({ ...base, method: "PUT", path: "/bytes", operation: "B", schema: {}, handler: async ({ raw }) => ({ body: raw }) }),
        defineRoute({
          ...base,
          method: "DELETE",
          path: "/none",
          operation: "C",
          schema: { body: Type.Optional(Type.Object({})) },
          handler: async () => ({}),
        }),
        defineRoute({
          ...base,
          method: "POST",
          path: "/own",
          operation: "D",
          ownErrors: true,
          schema: { body: Type.Object({}) },
          handler: async () => ({}),
        }),
        defineRoute({
          ...base,
          method: "PUT",
          path: "/large",
          operation: "E",
          bodyLimitBytes: 2 * 1024 * 1024,
          schema: {},
          handler: async ({ raw }) => ({ body: { length: raw.length } }),
        }),
      ],
    );
    try {
      const token = { "x-auth-token": await own.login() };
      const send = (method: Method, url: string, payload?: string | Buffer, headers: Record<string, string> = token) =>
        app.inject({
          method,
          url,
          headers: { ...headers, ...(payload === undefined ? {} : { "content-type": "text/plain" }) },
          ...(payload === undefined ? {} : { payload }),
        });
      const json = await send("POST", "/p/json/7?x=1", '{"n":3}');
      assert.deepEqual([json.statusCode, json.headers["x-own"], json.json()], [202, "1", { n: 3, params: { id: "7" }, url: "/p/json/7?x=1" }]);
      const bytes = await send("PUT", "/p/bytes", Buffer.from([0, 255]));
      assert.deepEqual([bytes.statusCode, bytes.headers["content-type"], [...bytes.rawPayload]], [201, "application/octet-stream", [0, 255]]);
      const none = await send("DELETE", "/p/none");
      assert.deepEqual([none.statusCode, none.body], [201, ""]);
      assert.deepEqual((await send("POST", "/p/own", "{")).json(), { error: { code: "VolumeBackup.0002", message: "body: is not valid JSON" } });
      assert.equal((await send("PUT", "/p/large", Buffer.alloc(1_500_000))).json().length, 1_500_000);
      assert.equal((await send("PUT", "/p/large", Buffer.alloc(1_500_000), {})).statusCode, 401);
      assert.deepEqual(
        listRoutes(app).map(({ path }) => path),
        ["/p/json/:id", "/p/bytes", "/p/none", "/p/own", "/p/large"],
      );
    } finally {
      await app.close();
      await own.close();
    }
  });
});
