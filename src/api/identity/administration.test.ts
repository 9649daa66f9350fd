import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { listRoutes } from "../http/routes.ts";
import { devProjectId, loginBody, otherProjectId, startHarness, type Harness } from "../../../test/support/identity-listener.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into bodies of any shape
type Body = any;
interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Body;
}
type Method = "GET" | "HEAD" | "POST" | "DELETE" | "PUT" | "PATCH";

const page = (): string => readFileSync(new URL("../../../docs/compatibility/identity.md", import.meta.url), "utf8");

test("the page on compatibility names every operation that is served, and no other", () => {
  const rows = page().matchAll(/^\| (\w+) \| ([A-Z]+) `([^`]+)` \| (\d{3}) \| (?:`([^`]+)` )?\|/gm);
  const claimed = [...rows].map(([, operation, method, path, status, action]) => [operation, method, path, status, action ?? "public"].join(" "));
  const served = listRoutes(harness.app)
    .filter(({ dialect, path }) => dialect === "identity" && !path.startsWith("/identity"))
    .map(({ path, route }) =>
      [route.operation, route.method, path, route.successStatus, route.access === "public" ? "public" : route.action].join(" "),
    );
  assert.deepEqual(claimed.toSorted(), served.toSorted());
  assert.ok(claimed.length > 35);
});

let harness: Harness;
let admin: string;
let demo: string;
before(async () => {
  harness = await startHarness();
  admin = await harness.login("admin");
  demo = await harness.login("demo");
});
after(() => harness.close());

async function ask(token: string | undefined, method: Method, url: string, payload?: object): Promise<Answer> {
  const headers = { host: "cbr.test:8799", ...(token === undefined ? {} : { "x-auth-token": token }) };
  const answer = await harness.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  const isJson = String(answer.headers["content-type"]).includes("json") && answer.body !== "";
  return { status: answer.statusCode, headers: answer.headers, body: isJson ? JSON.parse(answer.body) : undefined };
}
const logIn = (body: object): Promise<Answer> => ask(undefined, "POST", "/v3/auth/tokens", body);
const makeUser = async (name: string, more: object = {}): Promise<Body> => {
  const { status, body } = await ask(admin, "POST", "/v3/users", { user: { name, password: "long enough", ...more } });
  assert.equal(status, 201, JSON.stringify(body));
  return body.user;
};
const makeProject = async (name: string): Promise<Body> => {
  const { status, body } = await ask(admin, "POST", "/v3/projects", { project: { name } });
  assert.equal(status, 201, JSON.stringify(body));
  return body.project;
};

describe("projects", () => {
  test("are made, found, changed and removed by an administrator", async () => {
    const project = await makeProject("eu-de_team");
    assert.match(project.id, /^[0-9a-f]{32}$/);
    assert.deepEqual((await ask(admin, "GET", "/v3/projects?name=eu-de_team")).body.projects, [project]);
    const changed = await ask(admin, "PATCH", `/v3/projects/${project.id}`, { project: { description: "the team's", enabled: false } });
    assert.deepEqual(
      [changed.body.project.description, changed.body.project.enabled, changed.body.project.name],
      ["the team's", false, "eu-de_team"],
    );
    assert.equal((await ask(admin, "DELETE", `/v3/projects/${project.id}`)).status, 204);
    assert.equal((await ask(admin, "GET", `/v3/projects/${project.id}`)).status, 404);
  });

  test("a second one of the name, one in no domain and one that is not there are refused", async () => {
    assert.equal((await ask(admin, "POST", "/v3/projects", { project: { name: "demo" } })).status, 409);
    assert.equal((await ask(admin, "POST", "/v3/projects", { project: { name: "x", domain_id: "nowhere" } })).status, 404);
    assert.equal((await ask(admin, "PATCH", "/v3/projects/none", { project: {} })).status, 404);
    assert.equal((await ask(admin, "POST", "/v3/projects", { project: { name: "" } })).status, 400);
  });

  test("one that still has something in it stays", async () => {
    const project = await makeProject("full");
    const { resources } = harness.context.catalog;
    const volume = {
      id: "11111111-1111-4111-8111-111111111111",
      projectId: project.id,
      userId: "u",
      type: "OS::Nova::Server" as const,
      name: "s",
      description: null,
      sizeGib: 0,
      availabilityZone: "az1",
      status: "ACTIVE",
      createdAt: 1,
      updatedAt: null,
      architecture: "x86_64",
      disks: [],
    };
    await resources.insert(volume as never);
    const refused = await ask(admin, "DELETE", `/v3/projects/${project.id}`);
    assert.equal(refused.status, 409);
    assert.match(refused.body.error.message, /not empty \(1 resources\)/);
    await resources.remove(volume.id);
    assert.equal((await ask(admin, "DELETE", `/v3/projects/${project.id}`)).status, 204);
  });
});

describe("users", () => {
  test("a new one logs in once it has a role, and no longer once it is disabled, has lost the role, or is gone", async () => {
    const user = await makeUser("anna");
    assert.equal(user.password, undefined);
    const login = (): Promise<Answer> => logIn(loginBody("anna", "long enough", { project: { id: devProjectId } }));
    const role = `/v3/projects/${devProjectId}/users/${user.id}/roles/member`;
    assert.equal((await login()).status, 401);
    assert.equal((await ask(admin, "PUT", role)).status, 204);
    assert.equal((await ask(admin, "HEAD", role)).status, 204);
    assert.equal((await login()).status, 201);
    await ask(admin, "PATCH", `/v3/users/${user.id}`, { user: { enabled: false } });
    assert.equal((await login()).status, 401);
    await ask(admin, "PATCH", `/v3/users/${user.id}`, { user: { enabled: true } });
    assert.equal((await login()).status, 201);
    assert.equal((await ask(admin, "DELETE", role)).status, 204);
    assert.equal((await ask(admin, "DELETE", role)).status, 404);
    assert.equal((await ask(admin, "HEAD", role)).status, 404);
    assert.equal((await login()).status, 401);
    assert.equal((await ask(admin, "DELETE", `/v3/users/${user.id}`)).status, 204);
    assert.equal((await ask(admin, "GET", `/v3/users/${user.id}`)).status, 404);
  });

  test("change their own password, with the one before", async () => {
    const user = await makeUser("berta", { default_project_id: devProjectId });
    await ask(admin, "PUT", `/v3/projects/${devProjectId}/users/${user.id}/roles/reader`);
    const { headers } = await logIn(loginBody("berta", "long enough", { project: { id: devProjectId } }));
    const token = String(headers["x-subject-token"]);
    const change = (original: string, password: string): Promise<Answer> =>
      ask(token, "POST", `/v3/users/${user.id}/password`, { user: { original_password: original, password } });
    assert.equal((await change("not the one", "another one")).status, 401);
    assert.equal((await change("long enough", "short")).status, 400);
    assert.equal((await change("long enough", "long enough")).status, 400);
    assert.equal((await change("long enough", "another one")).status, 204);
    assert.equal((await logIn(loginBody("berta", "long enough", { project: { id: devProjectId } }))).status, 401);
    assert.equal((await logIn(loginBody("berta", "another one", { project: { id: devProjectId } }))).status, 201);
  });

  test("the last administrator can neither be removed nor disabled nor lose the role", async () => {
    const [self] = (await ask(admin, "GET", "/v3/users?name=admin")).body.users;
    assert.equal((await ask(admin, "DELETE", `/v3/users/${self.id}`)).status, 409);
    assert.equal((await ask(admin, "PATCH", `/v3/users/${self.id}`, { user: { enabled: false } })).status, 409);
    // Of two projects one may go, the other stays.
    assert.equal((await ask(admin, "DELETE", `/v3/projects/${otherProjectId}/users/${self.id}/roles/admin`)).status, 204);
    assert.equal((await ask(admin, "DELETE", `/v3/projects/${devProjectId}/users/${self.id}/roles/admin`)).status, 409);
    assert.equal((await ask(admin, "PUT", `/v3/projects/${otherProjectId}/users/${self.id}/roles/admin`)).status, 204);
  });

  test("assignments are listed with names; a user sees only its own", async () => {
    const all = (await ask(admin, "GET", "/v3/role_assignments?include_names")).body.role_assignments;
    const names = all.map((one: Body) => `${one.user.name} ${one.role.name} ${one.scope.project.name}`);
    assert.ok(names.includes("demo member demo"), names.join());
    assert.equal((await ask(demo, "GET", "/v3/role_assignments")).status, 403);
    const [self] = (await ask(admin, "GET", "/v3/users?name=demo")).body.users;
    assert.equal((await ask(demo, "GET", `/v3/role_assignments?user.id=${self.id}`)).body.role_assignments.length, 1);
  });
});

test("nobody but an administrator administers", async () => {
  const [self] = (await ask(admin, "GET", "/v3/users?name=admin")).body.users;
  const before = [await harness.context.catalog.identity.listUsers({}), await harness.context.catalog.identity.listProjects({})];
  for (const [method, url, body] of [
    ["POST", "/v3/projects", { project: { name: "mine" } }],
    ["PATCH", `/v3/projects/${devProjectId}`, { project: { enabled: false } }],
    ["DELETE", `/v3/projects/${devProjectId}`, undefined],
    ["GET", "/v3/users", undefined],
    ["POST", "/v3/users", { user: { name: "x", password: "long enough" } }],
    ["PATCH", `/v3/users/${self.id}`, { user: { password: "long enough" } }],
    ["DELETE", `/v3/users/${self.id}`, undefined],
    ["POST", `/v3/users/${self.id}/password`, { user: { original_password: "a", password: "long enough" } }],
    ["PUT", `/v3/projects/${devProjectId}/users/${self.id}/roles/admin`, undefined],
    ["DELETE", `/v3/projects/${devProjectId}/users/${self.id}/roles/admin`, undefined],
    ["POST", "/v3.0/OS-CREDENTIAL/credentials", { credential: { user_id: self.id } }],
    ["GET", `/v3.0/OS-CREDENTIAL/credentials?user_id=${self.id}`, undefined],
    ["GET", `/v3/users/${self.id}/application_credentials`, undefined],
    ["POST", `/v3/users/${self.id}/application_credentials`, { application_credential: { name: "x" } }],
  ] as const) {
    assert.equal((await ask(demo, method, url, body)).status, 403, `${method} ${url}`);
    assert.equal((await ask(undefined, method, url, body)).status, 401, `${method} ${url}`);
  }
  assert.deepEqual([await harness.context.catalog.identity.listUsers({}), await harness.context.catalog.identity.listProjects({})], before);
});

describe("access keys", () => {
  test("are made for oneself, listed without their secret, switched off and removed", async () => {
    const [self] = (await ask(admin, "GET", "/v3/users?name=demo")).body.users;
    const { status, body } = await ask(demo, "POST", "/v3.0/OS-CREDENTIAL/credentials", { credential: { user_id: self.id, description: "ci" } });
    assert.equal(status, 201);
    const { access, secret } = body.credential;
    assert.deepEqual([access.length, secret.length], [20, 40]);
    const listed = (await ask(demo, "GET", "/v3.0/OS-CREDENTIAL/credentials")).body.credentials;
    assert.ok(listed.some((one: Body) => one.access === access));
    assert.ok(!JSON.stringify(listed).includes(secret));
    const path = `/v3.0/OS-CREDENTIAL/credentials/${access}`;
    assert.equal((await ask(demo, "PUT", path, { credential: { status: "inactive" } })).body.credential.status, "inactive");
    assert.equal((await harness.context.catalog.identity.getAccessKey(access))?.enabled, false);
    assert.equal((await ask(await harness.login("reader"), "DELETE", path)).status, 404);
    assert.equal((await ask(demo, "DELETE", path)).status, 204);
    assert.equal(await harness.context.catalog.identity.getAccessKey(access), undefined);
  });
});

describe("application credentials", () => {
  const login = (credential: object, scope?: object): Promise<Answer> =>
    logIn({
      auth: { identity: { methods: ["application_credential"], application_credential: credential }, ...(scope === undefined ? {} : { scope }) },
    });
  const make = async (body: object): Promise<Answer> => {
    const [self] = (await ask(admin, "GET", "/v3/users?name=demo")).body.users;
    return ask(demo, "POST", `/v3/users/${self.id}/application_credentials`, { application_credential: body });
  };

  test("log in by id, or by name and user, for their own project alone", async () => {
    const { status, body } = await make({ name: "ci", description: "builds" });
    assert.equal(status, 201, JSON.stringify(body));
    const { id, secret, user_id: userId } = body.application_credential;
    const byId = await login({ id, secret });
    assert.equal(byId.status, 201);
    assert.equal(byId.body.token.project.id, devProjectId);
    assert.deepEqual(byId.body.token.methods, ["application_credential"]);
    assert.equal((await login({ name: "ci", user: { id: userId }, secret })).status, 201);
    assert.equal((await login({ name: "ci", user: { name: "demo", domain: { id: "default" } }, secret })).status, 201);
    assert.equal((await login({ id, secret: `${secret}x` })).status, 401);
    assert.equal((await login({ id, secret }, { project: { id: otherProjectId } })).status, 401);
    // A token of it gives no token for anything else, and makes no further credentials.
    const token = String(byId.headers["x-subject-token"]);
    const again = (scope: object): Promise<Answer> => logIn({ auth: { identity: { methods: ["token"], token: { id: token } }, scope } });
    assert.equal((await again({ domain: { id: "default" } })).status, 401);
    assert.equal((await again({ project: { id: devProjectId } })).status, 201);
    assert.equal((await ask(token, "POST", "/v3.0/OS-CREDENTIAL/credentials", { credential: { user_id: userId } })).status, 403);
    assert.equal((await ask(token, "DELETE", `/v3/users/${userId}/application_credentials/${id}`)).status, 403);
    assert.ok(!JSON.stringify((await ask(demo, "GET", `/v3/users/${userId}/application_credentials`)).body).includes(secret));
    const list = `/v3/${devProjectId}/vaults`;
    assert.equal((await ask(token, "GET", list)).status, 200);
    const elsewhere = await ask(token, "GET", `${list}/external?external_project_id=${otherProjectId}&region_id=RegionOne&objcet_type=disk`);
    assert.equal(elsewhere.status, 403, JSON.stringify(elsewhere.body));
    assert.equal((await ask(demo, "DELETE", `/v3/users/${userId}/application_credentials/${id}`)).status, 204);
    assert.equal((await login({ id, secret })).status, 401);
    assert.equal((await ask(token, "GET", list)).status, 401, "its tokens end with it");
  });

  test("carry no role that their user does not have, and end with their time", async () => {
    assert.equal((await make({ name: "too much", roles: [{ name: "admin" }] })).status, 400);
    assert.equal((await make({ name: "late", expires_at: "2001-01-01T00:00:00" })).status, 400);
    assert.equal((await make({ name: "endless", expires_at: "9999-01-01T00:00:00" })).status, 400);
    assert.equal((await make({ name: "once" })).status, 201);
    assert.equal((await make({ name: "once" })).status, 409);
    const { body } = await make({ name: "brief", expires_at: "2199-01-01T00:00:00" });
    const { id, secret } = body.application_credential;
    const expires = Date.parse((await login({ id, secret })).body.token.expires_at);
    assert.ok(expires < Date.parse("2198-01-01"), "a token lives no longer than tokens do");
  });
});
