import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { accessKey, devProjectId, otherProjectId, standingClock, startHarness, type Harness } from "../../../test/support/identity-listener.ts";
import { sdkDate, signedHeaders } from "../../../test/support/identity-sign.ts";

const start = 1_800_000_000_000_000;
const clock = standingClock(start);
const host = "cbr.test:8799";
let harness: Harness;
before(async () => {
  harness = await startHarness({ clock });
});
after(() => harness.close());
beforeEach(() => clock.set(clock.nowUs() + 600_000_000));

interface Ask {
  method?: "GET" | "POST" | "DELETE";
  path: string;
  query?: string;
  body?: string;
  headers?: Record<string, string>;
  unsigned?: Record<string, string>;
  key?: { id: string; secret: string };
  /** Changes the signed request on its way. */
  tamper?: (headers: Record<string, string>) => void;
  remoteAddress?: string;
}
async function ask({ method = "GET", path, query = "", body = "", headers = {}, unsigned = {}, key = accessKey, tamper, remoteAddress }: Ask) {
  const signed = signedHeaders({ method, path, query, body, headers, unsigned, host, date: sdkDate(clock.nowUs()) }, key);
  tamper?.(signed);
  const url = query === "" ? path : `${path}?${query}`;
  const from = remoteAddress === undefined ? {} : { remoteAddress };
  const answer = await harness.app.inject({ method, url, headers: signed, ...from, ...(body === "" ? {} : { payload: body }) });
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into bodies of any shape
  const parsed: any = answer.body === "" ? undefined : JSON.parse(answer.body);
  return { status: answer.statusCode, headers: answer.headers, body: parsed };
}
const vaults = `/v3/${devProjectId}/vaults`;
const spoil = (headers: Record<string, string>): void => {
  headers["authorization"] = (headers["authorization"] ?? "").replace(/Signature=.*/, `Signature=${"0".repeat(64)}`);
};

describe("signed requests", () => {
  test("are answered by every service, at the root and below prefixes, with the path as received", async () => {
    for (const path of [
      vaults,
      `/cbr${vaults}`,
      `/volume/v3/${devProjectId}/backups`,
      `/v2/${devProjectId}/backups`,
      "/v3/projects",
      "/identity/v3/auth/catalog",
      "/v3/auth/domains",
    ]) {
      const answer = await ask({ path });
      assert.equal(answer.status, 200, `${path} ${JSON.stringify(answer.body)}`);
    }
    assert.equal((await ask({ path: "/v3/projects", query: "name=demo" })).body.projects.length, 1);
  });

  test("may have a body with a GET: it is signed, and otherwise not looked at", async () => {
    assert.equal((await ask({ path: vaults, body: "{}", headers: { "content-type": "application/json" } })).status, 200);
    const changed = await ask({ path: vaults, body: "{}", tamper: spoil });
    assert.equal(changed.status, 401);
    clock.set(clock.nowUs() + 600_000_000);
  });

  test("are for the project of X-Project-Id, else of the path; both must agree, and the user needs a role there", async () => {
    assert.equal((await ask({ path: vaults, headers: { "x-project-id": devProjectId } })).status, 200);
    assert.equal((await ask({ path: vaults, unsigned: { "x-project-id": devProjectId } })).status, 200);
    for (const asked of [
      { path: vaults, headers: { "x-project-id": otherProjectId } },
      { path: `/v3/${otherProjectId}/vaults` },
      { path: `/v3/${otherProjectId}/vaults`, headers: { "x-project-id": otherProjectId } },
      { path: `/v3/${otherProjectId}/vaults`, headers: { "x-project-id": devProjectId } },
      { path: vaults, headers: { "x-project-id": "' or 1=1" } },
    ]) {
      const answer = await ask(asked);
      assert.equal(answer.status, 403, JSON.stringify(asked));
      assert.equal(typeof answer.body.error_code, "string");
    }
  });

  test("about the account name their own domain", async () => {
    assert.deepEqual((await ask({ path: "/v3/auth/domains", headers: { "x-domain-id": "default" } })).body.domains.length, 1);
    assert.equal((await ask({ path: "/v3/auth/domains", headers: { "x-domain-id": "other" } })).status, 401);
  });

  test("are refused in the gateway's shape when anything is wrong, with the reason", async () => {
    const cases: [Ask, RegExp][] = [
      [{ path: vaults, tamper: spoil }, /signature does not match/],
      [{ path: vaults, key: { id: "NOBODY", secret: "x" } }, /not found/],
      [{ path: vaults, key: { ...accessKey, secret: "x" } }, /signature does not match/],
      [{ path: vaults, tamper: (headers) => void (headers["authorization"] = "SDK-HMAC-SHA256 nonsense") }, /form/],
      [
        {
          path: vaults,
          tamper: (headers) => void (headers["authorization"] = headers["authorization"]!.replace("SDK-HMAC-SHA256", "V11-HMAC-SHA256")),
        },
        /form/,
      ],
      [{ path: vaults, headers: { "x-note": "1" }, tamper: (headers) => void delete headers["x-note"] }, /x-note is missing/],
    ];
    for (const [asked, reason] of cases) {
      const { status, body, headers } = await ask(asked);
      assert.deepEqual([status, body.error_code], [401, "APIGW.0301"]);
      assert.match(body.error_msg, /^Incorrect IAM authentication information: /);
      assert.match(body.error_msg, reason);
      assert.equal(body.request_id, headers["x-request-id"]);
    }
  });

  test("five failures in a row lock the key for five minutes", async () => {
    for (let n = 0; n < 5; n += 1) assert.match((await ask({ path: vaults, tamper: spoil })).body.error_msg, /match/);
    assert.match((await ask({ path: vaults })).body.error_msg, /locked/);
    // Whoever knows the id of a key locks it for themselves alone.
    assert.equal((await ask({ path: vaults, remoteAddress: "192.0.2.7" })).status, 200);
    clock.set(clock.nowUs() + 299_000_000);
    assert.equal((await ask({ path: vaults })).status, 401);
    clock.set(clock.nowUs() + 1_000_000);
    assert.equal((await ask({ path: vaults })).status, 200);
    for (let n = 0; n < 4; n += 1) await ask({ path: vaults, tamper: spoil });
    assert.equal((await ask({ path: vaults })).status, 200, "four do not");
    for (let n = 0; n < 4; n += 1) await ask({ path: vaults, tamper: spoil });
    assert.equal((await ask({ path: vaults })).status, 200, "and a success starts anew");
  });
});

describe("temporary keys", () => {
  async function make(duration?: number | string) {
    const token = await harness.login();
    const answer = await harness.app.inject({
      method: "POST",
      url: "/v3.0/OS-CREDENTIAL/securitytokens",
      headers: { "x-auth-token": token },
      payload: {
        auth: { identity: { methods: ["token"], token: { id: token, ...(duration === undefined ? {} : { duration_seconds: duration }) } } },
      },
    });
    return { status: answer.statusCode, body: JSON.parse(answer.body) };
  }

  test("work with their security token, signed or not, for their project, until their time is over", async () => {
    const { status, body } = await make("900");
    assert.equal(status, 201);
    const { access, secret, securitytoken, expires_at: expiresAt } = body.credential;
    assert.match(expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(Date.parse(expiresAt) * 1000, clock.nowUs() + 900_000_000);
    const key = { id: access, secret };
    assert.equal((await ask({ path: vaults, key, headers: { "x-security-token": securitytoken } })).status, 200);
    assert.equal((await ask({ path: vaults, key, unsigned: { "x-security-token": securitytoken } })).status, 200);
    assert.match((await ask({ path: vaults, key })).body.error_msg, /needs its X-Security-Token/);
    assert.match((await ask({ path: vaults, key, unsigned: { "x-security-token": "other" } })).body.error_msg, /not that of/);
    assert.equal((await ask({ path: `/v3/${otherProjectId}/vaults`, key, unsigned: { "x-security-token": securitytoken } })).status, 403);
    clock.set(clock.nowUs() + 900_000_000);
    assert.match((await ask({ path: vaults, key, unsigned: { "x-security-token": securitytoken } })).body.error_msg, /expired/);
  });

  test("are forgotten a day after their end, when others are made", async () => {
    const { access } = (await make()).body.credential;
    clock.set(clock.nowUs() + (900 + 86_400) * 1_000_000);
    await make();
    assert.ok(await harness.context.catalog.identity.getAccessKey(access));
    clock.set(clock.nowUs() + 1);
    await make();
    assert.equal(await harness.context.catalog.identity.getAccessKey(access), undefined);
    assert.ok(await harness.context.catalog.identity.getAccessKey(accessKey.id), "a lasting key stays");
  });

  test("last from 15 minutes to a day", async () => {
    assert.equal((await make(86_400)).status, 201);
    for (const duration of [899, 86_401, -1, "abc"]) {
      const { status, body } = await make(duration);
      assert.equal(status, 400, String(duration));
      assert.match(body.error.message, /duration_seconds/);
    }
  });
});
