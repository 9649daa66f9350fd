import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { devProjectId, loginBody, otherProjectId, standingClock, startHarness, type Harness } from "../../../test/support/identity-listener.ts";
import { bootstrapIdentity } from "./bootstrap.ts";
import { createIdentity } from "./identity.ts";

let harness: Harness;
before(async () => {
  harness = await startHarness();
});
after(() => harness.close());

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into bodies of any shape
type Body = any;
interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Body;
}
async function ask(
  method: "GET" | "HEAD" | "POST" | "DELETE" | "PUT",
  url: string,
  headers: Record<string, string> = {},
  payload?: object,
  at = harness,
): Promise<Answer> {
  const answer = await at.app.inject({ method, url, headers: { host: "cbr.test:8799", ...headers }, ...(payload === undefined ? {} : { payload }) });
  const isJson = String(answer.headers["content-type"]).includes("json") && answer.body !== "";
  return { status: answer.statusCode, headers: answer.headers, body: isJson ? JSON.parse(answer.body) : undefined };
}
const logIn = (body: object): Promise<Answer> => ask("POST", "/v3/auth/tokens", {}, body);

describe("discovery", () => {
  test("the root lists v3 under 300, each version leads to itself, absolute, at the host that was asked", async () => {
    for (const [url, href] of [
      ["/", "http://cbr.test:8799/v3/"],
      ["/identity", "http://cbr.test:8799/identity/v3/"],
    ] as const) {
      const { status, body } = await ask("GET", url);
      assert.equal(status, 300);
      const [version] = body.versions.values;
      assert.deepEqual([version.status, version.links], ["stable", [{ rel: "self", href }]]);
      assert.match(version.id, /^v3\.\d+$/);
    }
    for (const [url, href] of [
      ["/v3", "http://cbr.test:8799/v3/"],
      ["/v3/", "http://cbr.test:8799/v3/"],
      ["/identity/v3", "http://cbr.test:8799/identity/v3/"],
      ["/identity/v3/", "http://cbr.test:8799/identity/v3/"],
    ] as const) {
      const { status, body } = await ask("GET", url);
      assert.deepEqual([status, body.version.links[0].href], [200, href]);
    }
  });

  test("a public URL counts more than the host of the request; a host that is none is not echoed", async () => {
    const other = await startHarness({ publicUrl: "https://backup.example/" });
    try {
      assert.equal((await ask("GET", "/v3", {}, undefined, other)).body.version.links[0].href, "https://backup.example/v3/");
    } finally {
      await other.close();
    }
    const { body } = await ask("GET", "/v3", { host: 'a"b<c>' });
    assert.equal(body.version.links[0].href, "http://localhost/v3/");
  });
});

describe("tokens", () => {
  test("a login by name gives a token for the project, with roles and the catalog", async () => {
    const { status, headers, body } = await logIn(loginBody("demo", "opencbr-demo", { project: { name: "demo", domain: { id: "default" } } }));
    assert.equal(status, 201);
    assert.match(String(headers["x-subject-token"]), /^[\x21-\x7e]{40,2000}$/);
    const { token } = body;
    assert.deepEqual(token.methods, ["password"]);
    assert.deepEqual([token.user.name, token.user.domain], ["demo", { id: "default", name: "Default" }]);
    assert.deepEqual(token.project, { id: devProjectId, name: "demo", domain: { id: "default", name: "Default" } });
    assert.deepEqual(
      token.roles.map(({ name }: { name: string }) => name),
      ["member"],
    );
    assert.equal(token.is_domain, false);
    for (const time of [token.issued_at, token.expires_at]) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(Date.parse(token.expires_at) - Date.parse(token.issued_at), 3_600_000);
    assert.equal(token.audit_ids.length, 1);
  });

  test("the catalog has every type that clients look up, with region in both spellings and the project in the URL", async () => {
    const { body } = await logIn(loginBody("demo", "opencbr-demo", { project: { id: devProjectId } }));
    const urls: Record<string, string> = {};
    for (const { type, name, id, endpoints } of body.token.catalog) {
      assert.ok(name !== "" && id !== "");
      assert.deepEqual(endpoints.map((endpoint: Body) => endpoint.interface).sort(), ["admin", "internal", "public"]);
      for (const endpoint of endpoints) assert.deepEqual([endpoint.region, endpoint.region_id], ["RegionOne", "RegionOne"]);
      urls[type] = endpoints[0].url;
    }
    const base = "http://cbr.test:8799";
    assert.deepEqual(urls, {
      identity: `${base}/identity/v3`,
      cbr: `${base}/v3/${devProjectId}`,
      volumev3: `${base}/volume/v3/${devProjectId}`,
      "block-storage": `${base}/volume/v3/${devProjectId}`,
      volumev2: `${base}/volume/v2/${devProjectId}`,
      evs: `${base}/volume/v2/${devProjectId}`,
      vbs: `${base}/volume/v2/${devProjectId}`,
      vbsv2: `${base}/volume/v2/${devProjectId}`,
    });
  });

  test("a login by user id, a domain scope, and none", async () => {
    const user = (await harness.context.catalog.identity.findUser("default", "demo"))!;
    const byId = { auth: { identity: { methods: ["password"], password: { user: { id: user.id, name: null, password: "opencbr-demo" } } } } };
    const unscoped = await logIn(byId);
    assert.equal(unscoped.status, 201);
    assert.deepEqual([unscoped.body.token.project, unscoped.body.token.domain, unscoped.body.token.roles], [undefined, undefined, undefined]);
    const domain = await logIn({ auth: { ...byId.auth, scope: { domain: { name: "Default" } } } });
    assert.equal(domain.status, 201);
    assert.deepEqual(domain.body.token.domain, { id: "default", name: "Default" });
    assert.ok(domain.body.token.roles.length > 0);
  });

  test("a token gives another scope, and what is made from it does not outlive it", async () => {
    const first = await logIn(loginBody("demo", "opencbr-demo"));
    const again = await logIn({
      auth: { identity: { methods: ["token"], token: { id: String(first.headers["x-subject-token"]) } }, scope: { project: { id: devProjectId } } },
    });
    assert.equal(again.status, 201);
    assert.equal(again.body.token.project.id, devProjectId);
    assert.deepEqual(again.body.token.methods, ["password", "token"]);
    assert.ok(again.body.token.expires_at <= first.body.token.expires_at);
  });

  test("wrong credentials, and scopes without a role, are 401 in Keystone's shape and tell nothing else", async () => {
    const refused = [
      loginBody("demo", "wrong"),
      loginBody("nobody", "opencbr-demo"),
      loginBody("demo", "opencbr-demo", { project: { id: otherProjectId } }),
      loginBody("demo", "opencbr-demo", { project: { name: "missing", domain: { id: "default" } } }),
      loginBody("demo", "opencbr-demo", { domain: { name: "Missing" } }),
      { auth: { identity: { methods: ["token"], token: { id: "x.y.z" } } } },
      { auth: { identity: { methods: ["totp"] } } },
    ];
    const messages = new Set<string>();
    for (const body of refused) {
      const answer = await logIn(body);
      assert.deepEqual([answer.status, answer.body.error.code, answer.body.error.title], [401, 401, "Unauthorized"], JSON.stringify(body));
      assert.equal(answer.headers["x-subject-token"], undefined);
      assert.match(String(answer.headers["www-authenticate"]), /^Keystone uri="http:/);
      messages.add(answer.body.error.message);
    }
    assert.equal(messages.size, 3, "the five that are about user and scope say the same");
  });

  test("a malformed login is 400 and names the field", async () => {
    const cases: [object, RegExp][] = [
      [{}, /auth/],
      [{ auth: { identity: { methods: [] } } }, /auth\.identity\.methods/],
      [{ auth: { identity: { methods: ["password"] } } }, /auth\.identity\.password/],
      [{ auth: { identity: { methods: ["password"], password: { user: { name: "demo", password: "x" } } } } }, /user\.domain/],
      [{ auth: { identity: { methods: ["password"], password: { user: { name: 7, password: "x" } } } } }, /user\.name/],
      [{ auth: { identity: { methods: ["password", "token"] } } }, /methods/],
    ];
    for (const [body, field] of cases) {
      const answer = await logIn(body);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.match(answer.body.error.message, field);
    }
    const broken = await harness.app.inject({
      method: "POST",
      url: "/v3/auth/tokens",
      headers: { "content-type": "application/json" },
      payload: "{",
    });
    assert.equal(broken.statusCode, 400);
    assert.equal(JSON.parse(broken.body).error.code, 400);
  });

  test("too many wrong passwords make the address wait, for that user only", async () => {
    const own = await startHarness({ clock: standingClock(1_800_000_000_000_000) });
    try {
      const attempt = (user: string, password: string): Promise<Answer> => ask("POST", "/v3/auth/tokens", {}, loginBody(user, password), own);
      for (let n = 0; n < 10; n += 1) assert.equal((await attempt("demo", "wrong")).status, 401);
      const locked = await attempt("demo", "opencbr-demo");
      assert.deepEqual([locked.status, locked.headers["retry-after"], locked.body.error.code], [429, "60", 429]);
      assert.equal((await attempt("admin", "opencbr-admin")).status, 201);
    } finally {
      await own.close();
    }
  });

  test("is shown and revoked by its owner or an administrator, and nobody else", async () => {
    const [demo, reader, admin] = [await harness.login("demo"), await harness.login("reader"), await harness.login("admin")];
    const headers = (asker: string, subject: string) => ({ "x-auth-token": asker, "x-subject-token": subject });
    const shown = await ask("GET", "/v3/auth/tokens", headers(demo, demo));
    assert.deepEqual([shown.status, shown.headers["x-subject-token"], shown.body.token.user.name], [200, demo, "demo"]);
    assert.ok(shown.body.token.catalog.length > 0);
    assert.equal((await ask("GET", "/v3/auth/tokens?nocatalog", headers(admin, demo))).body.token.catalog, undefined);
    assert.equal((await ask("HEAD", "/v3/auth/tokens", headers(demo, demo))).status, 200);
    assert.equal((await ask("GET", "/v3/auth/tokens", headers(reader, demo))).status, 403);
    assert.equal((await ask("DELETE", "/v3/auth/tokens", headers(reader, demo))).status, 403);
    assert.equal((await ask("GET", "/v3/auth/tokens", headers(demo, "nonsense"))).status, 404);
    assert.equal((await ask("GET", "/v3/auth/tokens", { "x-auth-token": demo })).status, 400);
    assert.equal((await ask("DELETE", "/v3/auth/tokens", headers(demo, demo))).status, 204);
    assert.equal((await ask("GET", "/v3/auth/projects", { "x-auth-token": demo })).status, 401);
    assert.equal((await ask("GET", "/v3/auth/tokens", headers(admin, demo))).status, 404);
    const { context } = harness;
    const restarted = await createIdentity({ context, masterKey: new Uint8Array(32).fill(7), tokenLifetimeSeconds: 60 });
    await assert.rejects(async () => restarted.tokens.verify(demo), /revoked/);
    assert.equal((await restarted.tokens.verify(reader)).userName, "reader");
  });

  test("expires: 401 from then on, seen before or not", async () => {
    const start = 1_800_000_000_000_000;
    const clock = standingClock(start);
    const own = await startHarness({ clock, tokenLifetimeSeconds: 100 });
    try {
      const [seen, unseen] = [await own.login(), await own.login()];
      clock.set(start + 99_000_000);
      assert.equal((await ask("GET", "/v3/auth/projects", { "x-auth-token": seen }, undefined, own)).status, 200);
      clock.set(start + 100_000_000);
      for (const token of [seen, unseen]) {
        const answer = await ask("GET", "/v3/auth/projects", { "x-auth-token": token }, undefined, own);
        assert.deepEqual([answer.status, answer.body.error.code], [401, 401]);
        assert.match(answer.body.error.message, /expired/);
      }
    } finally {
      await own.close();
    }
  });

  test("of another installation is refused", async () => {
    const { context } = harness;
    const other = await createIdentity({ context, masterKey: new Uint8Array(32).fill(8), tokenLifetimeSeconds: 60 });
    const user = {
      userId: "u",
      userName: "demo",
      domainId: "default",
      scope: { kind: "project", projectId: devProjectId },
      roles: ["admin"],
    } as const;
    const { text } = await other.tokens.issue(user, ["password"]);
    assert.equal((await ask("GET", "/v3/auth/projects", { "x-auth-token": text })).status, 401);
  });
});

describe("directory", () => {
  const names = (body: Body): string[] => body.projects.map((project: { name: string }) => project.name);

  test("projects: by exact name, one's own, an administrator's", async () => {
    const [demo, admin] = [{ "x-auth-token": await harness.login("demo") }, { "x-auth-token": await harness.login("admin") }];
    const found = await ask("GET", "/v3/projects?name=demo", demo);
    assert.deepEqual([names(found.body), found.body.links.next], [["demo"], null]);
    assert.equal(found.body.projects[0].id, devProjectId);
    assert.deepEqual(names((await ask("GET", "/v3/projects?name=dem", demo)).body), []);
    assert.deepEqual(names((await ask("GET", "/v3/projects", demo)).body), ["demo"]);
    assert.deepEqual(names((await ask("GET", "/v3/projects", admin)).body), ["demo", "other"]);
    assert.deepEqual(names((await ask("GET", "/identity/v3/auth/projects", demo)).body), ["demo"]);
    assert.equal((await ask("GET", `/v3/projects/${devProjectId}`, demo)).body.project.name, "demo");
    assert.equal((await ask("GET", `/v3/projects/${otherProjectId}`, demo)).status, 404);
    assert.equal((await ask("GET", `/v3/projects/${otherProjectId}`, admin)).status, 200);
  });

  test("users, domains, regions, roles, the catalog and who one is", async () => {
    const demo = { "x-auth-token": await harness.login("demo") };
    const { id } = (await harness.context.catalog.identity.findUser("default", "demo"))!;
    const admin = (await harness.context.catalog.identity.findUser("default", "admin"))!;
    const user = await ask("GET", `/v3/users/${id}`, demo);
    assert.deepEqual([user.body.user.name, user.body.user.domain_id], ["demo", "default"]);
    assert.ok(!JSON.stringify(user.body).includes("scrypt"));
    assert.equal((await ask("GET", `/v3/users/${admin.id}`, demo)).status, 403);
    assert.deepEqual(names((await ask("GET", `/v3/users/${id}/projects`, demo)).body), ["demo"]);
    for (const url of ["/v3/auth/domains", "/v3/domains", "/v3/domains?name=Default"]) {
      assert.deepEqual(
        (await ask("GET", url, demo)).body.domains.map((domain: Body) => [domain.id, domain.name]),
        [["default", "Default"]],
        url,
      );
    }
    assert.equal((await ask("GET", "/v3/domains/default", demo)).body.domain.name, "Default");
    assert.equal((await ask("GET", "/v3/domains/none", demo)).status, 404);
    assert.deepEqual(
      (await ask("GET", "/v3/regions", demo)).body.regions.map((region: Body) => region.id),
      ["RegionOne"],
    );
    assert.equal((await ask("GET", "/v3/regions/RegionOne", demo)).body.region.id, "RegionOne");
    assert.equal((await ask("GET", "/v3/regions/none", demo)).status, 404);
    assert.deepEqual(
      (await ask("GET", "/v3/roles", demo)).body.roles.map((role: Body) => role.name),
      ["admin", "member", "reader"],
    );
    assert.ok((await ask("GET", "/v3/auth/catalog", demo)).body.catalog.length > 1);
    assert.deepEqual((await ask("GET", "/v5/caller-identity", demo)).body.account_id, "default");
  });

  test("nothing of it without a token", async () => {
    for (const path of [
      "projects",
      "projects/x",
      "auth/projects",
      "auth/domains",
      "auth/catalog",
      "auth/tokens",
      "domains",
      "users/x",
      "users/x/projects",
      "regions",
      "roles",
    ]) {
      const { status, body } = await ask("GET", `/v3/${path}`);
      assert.deepEqual([status, body.error.code], [401, 401], path);
    }
    assert.equal((await ask("GET", "/v5/caller-identity")).status, 401);
    assert.equal((await ask("POST", "/v3.0/OS-CREDENTIAL/securitytokens", {}, {})).status, 401);
  });
});

describe("the first start", () => {
  test("makes the documented accounts once", async () => {
    const { context } = harness;
    assert.equal(await bootstrapIdentity(context, { dev: true, masterKey: new Uint8Array(32).fill(7) }), undefined);
  });

  test("without dev every secret is new, works, and is stored nowhere in clear", async () => {
    const { openCatalog } = await import("#catalog/open.ts");
    const { systemRandom } = await import("#platform/random.ts");
    const masterKey = new Uint8Array(32).fill(3);
    const made = [];
    for (let n = 0; n < 2; n += 1) {
      const catalog = await openCatalog({ path: ":memory:" });
      const accounts = await bootstrapIdentity({ catalog, random: systemRandom }, { dev: false, masterKey, passwordCost: { ln: 4, r: 8, p: 1 } });
      assert.ok(accounts);
      const demo = await catalog.identity.findUser("default", "demo");
      const key = await catalog.identity.getAccessKey(accounts.accessKey.id);
      assert.deepEqual(await catalog.identity.listRoles(demo!.id, accounts.project.id), ["member"]);
      assert.ok(key);
      assert.equal(key.userId, demo!.id);
      assert.ok(!Buffer.from(key.sealedSecret).includes(accounts.accessKey.secret));
      made.push(accounts);
      await catalog.close();
    }
    const secrets = made.flatMap(({ users, accessKey, project }) => [
      ...users.map(({ password }) => password),
      accessKey.id,
      accessKey.secret,
      project.id,
    ]);
    assert.equal(new Set(secrets).size, secrets.length);
    for (const { users, accessKey } of made) {
      assert.match(accessKey.id, /^[A-Z0-9]{20}$/);
      assert.match(accessKey.secret, /^[a-z0-9]{40}$/);
      for (const { password } of users) assert.match(password, /^[a-z0-9]{24}$/);
    }
  });
});
