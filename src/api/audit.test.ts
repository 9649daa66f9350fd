import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, type DialectApp, openDialectApp, projectA, projectB } from "../../test/support/dialect-app.ts";
import { billing, cbr, newVault, newVolume, own, stored, unknownId, volume } from "../../test/support/dialect-fixtures.ts";
import { accessKey, devProjectId, loginBody, otherProjectId, standingClock, startHarness } from "../../test/support/identity-listener.ts";
import { sdkDate, signedHeaders } from "../../test/support/identity-sign.ts";
import { CatalogError } from "#catalog/errors.ts";
import { auditTrailOf } from "#services/audit/auditTrail.ts";
import { publishedEvents } from "./http/audit.ts";

/** The entries of the log, oldest first. */
async function entries(service: DialectApp, query = "", as = `reader@${projectA}`) {
  const answer = await ask(service, "GET", `${own}/audit?${query}`, { as });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.audit.toReversed();
}

async function withService(work: (service: DialectApp) => Promise<void>): Promise<void> {
  const service = await openDialectApp();
  try {
    await work(service);
  } finally {
    await service.close();
  }
}

describe("the audit log", () => {
  test("tells who did what to which thing, and how it ended; looking is not in it", () =>
    withService(async (service) => {
      const id = await newVault(service, "logged");
      const renamed = await ask(service, "PUT", `${cbr}/vaults/${id}`, { body: { vault: { name: "renamed" } } });
      await ask(service, "GET", `${cbr}/vaults/${id}`);
      await ask(service, "DELETE", `${cbr}/vaults/${id}`);
      const volumeId = await newVolume(service, "disk");
      await ask(service, "POST", `${volume}/volumes/${volumeId}/action`, { body: { "os-extend": { new_size: 2 } } });
      const log = await entries(service);
      const [made] = log;
      assert.deepEqual(
        { ...made, id: "", request_id: "", created_at: "", ended_at: "" },
        {
          id: "",
          project_id: projectA,
          target_project_id: projectA,
          user: { id: "member-user", name: "member", domain_id: "default" },
          credential: null,
          dialect: "cbr",
          operation: "CreateVault",
          action: "cbr:vaults:create",
          event: "createVault",
          resource: { type: "vault", id, name: "logged" },
          request_id: "",
          address: "127.0.0.1",
          status: 200,
          error_code: null,
          times: 1,
          created_at: "",
          ended_at: "",
        },
      );
      assert.ok(made.created_at <= made.ended_at);
      const brief = log.map((each: { operation: string; event: string; status: number; resource: { type: string; id: string; name: string } }) => [
        each.operation,
        each.event,
        each.status,
        each.resource.type,
        each.resource.name,
      ]);
      assert.deepEqual(brief, [
        ["CreateVault", "createVault", 200, "vault", "logged"],
        ...(renamed.status === 404 ? [] : [["UpdateVault", "updateVault", 200, "vault", "renamed"]]),
        ["DeleteVault", "deleteVault", 204, "vault", renamed.status === 404 ? "logged" : "renamed"],
        ["CreateVolumeV3", null, 202, "volume", "disk"],
        ["VolumeActionV3", null, 202, "volume", "disk"],
      ]);
    }));

  test("refused calls are in it, without what they brought: unauthenticated, forbidden, wrong", () =>
    withService(async (service) => {
      const secret = "do-not-tell-this";
      const body = { vault: { name: "x", billing: { ...billing, size: secret }, resources: [], password: secret } };
      const send = (as: string) => ask(service, "POST", `${cbr}/vaults?token=${secret}`, { body, as });
      assert.equal((await send("")).status, 401);
      assert.equal((await send(`reader@${projectA}`)).status, 403);
      assert.equal((await send(`member@${projectB}`)).status, 403);
      assert.equal((await send(`member@${projectA}`)).status, 400);
      assert.equal((await ask(service, "DELETE", `${cbr}/vaults/${unknownId}`)).status, 404);
      const tooLarge = await ask(service, "POST", `${cbr}/vaults`, { body: " ".repeat(1024 * 1024 + 1) });
      assert.equal(tooLarge.status, 413);
      const brief = (log: { user: { name: string } | null; status: number; error_code: string; target_project_id: string }[]) =>
        log.map((each) => [each.user?.name ?? null, each.status, each.error_code, each.target_project_id]);
      const log = await entries(service);
      assert.deepEqual(brief(log), [
        [null, 401, "APIGW.0301", projectA],
        ["reader", 403, "BackupService.9900", projectA],
        ["member", 400, "BackupService.9900", projectA],
        ["member", 404, "BackupService.6105", projectA],
        [null, 413, "APIGW.0201", projectA],
      ]);
      assert.equal(log[3].resource.id, unknownId);
      // The call of the other project's member is in that one's log, and not in this.
      const others = await ask(service, "GET", `/opencbr/v1/${projectB}/audit`, { as: `reader@${projectB}` });
      assert.deepEqual(brief(others.body.audit), [["member", 403, "BackupService.9900", projectA]]);
      const all = await entries(service, "all_projects=true", `admin@${projectA}`);
      assert.equal(all.length, 6);
      assert.equal((await entries(service, "all_projects=true", `member@${projectA}`)).length, 5);
      assert.doesNotMatch(JSON.stringify(all), new RegExp(secret));
    }));

  test("an entry that the catalog refuses keeps no other from being written", () =>
    withService(async (service) => {
      await newVault(service, "before");
      const [entry] = (await service.context.catalog.audit.list(projectA, {}, { limit: 1, offset: 0 })).items;
      const trail = auditTrailOf(service.context);
      trail.note({ ...entry!, requestId: "one" }, { status: 403, errorCode: null });
      trail.note({ ...entry!, address: undefined as never }, { status: 403, errorCode: null });
      trail.note({ ...entry!, requestId: "two" }, { status: 403, errorCode: null });
      const log = await entries(service);
      assert.deepEqual(
        log.map(({ request_id: id, status }: { request_id: string; status: number }) => [id, status]),
        [
          [entry!.requestId, 200],
          ["one", 403],
          ["two", 403],
        ],
      );
      assert.equal(trail.omitted, 1);
    }));

  test("filters and pages", () =>
    withService(async (service) => {
      const names = ["a", "b", "c"];
      for (const name of names) await newVault(service, name);
      await ask(service, "DELETE", `${cbr}/vaults/${unknownId}`, { as: `admin@${projectA}` });
      const count = async (query: string) => (await entries(service, query)).length;
      assert.deepEqual(
        [
          await count("operation=CreateVault"),
          await count("user=admin"),
          await count("user=member-user&event=createVault"),
          await count("result=refused"),
          await count("result=done"),
          await count("status=404"),
          await count(`resource_id=${unknownId}`),
          await count("resource_type=vault"),
          await count("start_time=2100-01-01T00:00:00Z"),
          await count("end_time=2100-01-01T00:00:00Z"),
          await count("address=192.0.2.1"),
        ],
        [3, 1, 3, 1, 3, 1, 1, 4, 0, 4, 0],
      );
      const seen: string[] = [];
      for (let marker = ""; ;) {
        const { body } = await ask(service, "GET", `${own}/audit?limit=1${marker === "" ? "" : `&marker=${marker}`}`);
        assert.equal(body.count, 4);
        if (body.audit.length === 0) break;
        marker = body.audit[0].id;
        seen.push(marker);
      }
      assert.equal(new Set(seen).size, 4);
      assert.equal((await ask(service, "GET", `${own}/audit?result=perhaps`)).status, 400);
    }));

  test("the entry is there before the change, which is refused when it cannot be written", () =>
    withService(async (service) => {
      const { catalog } = service.context;
      const { audit } = catalog;
      catalog.audit = { ...audit, insert: () => Promise.reject(new CatalogError("noSpace", "the disk is full")) };
      const refused = await ask(service, "POST", `${cbr}/vaults`, { body: { vault: { name: "never", billing, resources: [] } } });
      catalog.audit = audit;
      assert.equal(refused.status, 507);
      assert.equal((await ask(service, "GET", `${cbr}/vaults`)).body.count, 0);

      let during: unknown[] = [];
      const spied = catalog.transaction.bind(catalog);
      catalog.transaction = async (work) => {
        during = (await catalog.audit.list(projectA, { operation: "CreateVault" }, { limit: 9, offset: 0 })).items.map(({ status }) => status);
        return spied(work);
      };
      await newVault(service, "made");
      catalog.transaction = spied;
      assert.equal(during[0], null);
    }));

  test("pieces of data to one volume share an entry, which counts them; a refused one has its own", () =>
    withService(async (service) => {
      const id = await newVolume(service, "written");
      const put = (range: string) =>
        ask(service, "PUT", `${own}/volumes/${id}/data`, {
          body: Buffer.from("sixteen bytes!!!"),
          headers: { "content-range": range, "content-type": "application/octet-stream" },
        });
      for (const from of [0, 4096, 8192]) assert.equal((await put(`bytes ${from}-${from + 15}/*`)).status, 204);
      assert.equal((await put("bytes 5-1/*")).status, 400);
      assert.equal((await put("bytes 16384-16399/*")).status, 204);
      const log = await entries(service, "operation=WriteVolumeData");
      assert.deepEqual(
        log.map(({ times, status, resource }: { times: number; status: number; resource: { name: string } }) => [times, status, resource.name]),
        [
          [4, 204, "written"],
          [1, 400, "written"],
        ],
      );
    }));

  test("a call that is about a backup has the backup's name", () =>
    withService(async (service) => {
      const { full } = await stored(service);
      await ask(service, "DELETE", `${cbr}/backups/${full.id}`);
      const [entry] = await entries(service, `resource_id=${full.id}`);
      assert.deepEqual([entry.event, entry.resource], ["deleteBackup", { type: "backup", id: full.id, name: full.name }]);
    }));
});

describe("the audit log of the whole listener", () => {
  test("has logins and their failures, the token's id or the access key, and no secret", async () => {
    const harness = await startHarness();
    const { app } = harness;
    const token = await harness.login("demo");
    const wrong = await app.inject({ method: "POST", url: "/v3/auth/tokens", payload: loginBody("demo", "wrong-password", null) });
    assert.equal(wrong.statusCode, 401);
    const url = `/v3/${devProjectId}/vaults/${unknownId}`;
    await app.inject({ method: "DELETE", url, headers: { "x-auth-token": token } });
    await app.inject({ method: "DELETE", url: "/v3/projects/some-project", headers: { "x-auth-token": token } });
    const date = sdkDate(harness.context.clock.nowUs());
    await app.inject({ method: "DELETE", url, headers: signedHeaders({ method: "DELETE", path: url, date, host: "cbr.test" }, accessKey) });
    const admin = await harness.login("admin");
    const answer = await app.inject({ method: "GET", url: `/opencbr/v1/${devProjectId}/audit?all_projects=1`, headers: { "x-auth-token": admin } });
    const log = answer.json().audit.toReversed();
    const brief = log.map((each: { operation: string; user: { name: string } | null; credential: { kind: string } | null; status: number }) => [
      each.operation,
      each.user?.name ?? null,
      each.credential?.kind ?? null,
      each.status,
    ]);
    assert.deepEqual(brief, [
      ["CreateToken", "demo", null, 201],
      ["CreateToken", null, null, 401],
      ["DeleteVault", "demo", "token", 404],
      ["DeleteProject", "demo", "token", 403],
      ["DeleteVault", "demo", "accessKey", 404],
      ["CreateToken", "admin", null, 201],
    ]);
    assert.deepEqual(log[3].resource, { type: "project", id: "some-project", name: null });
    assert.equal(log[4].credential.id, accessKey.id);
    for (const secret of [token, admin, "opencbr-demo", "wrong-password", accessKey.secret]) assert.ok(!answer.body.includes(secret));
    await harness.close();
  });

  test("somebody unknown cannot fill it", async () => {
    const clock = standingClock(1_800_000_000_000_000);
    const harness = await startHarness({ clock });
    const call = () => harness.app.inject({ method: "POST", url: `/v3/${otherProjectId}/vaults`, headers: { "x-auth-token": "nobody" } });
    for (let turn = 0; turn < 150; turn += 1) assert.equal((await call()).statusCode, 401);
    const written = async () => {
      const admin = await harness.login("admin", { project: { id: otherProjectId } });
      const answer = await harness.app.inject({
        method: "GET",
        url: `/opencbr/v1/${otherProjectId}/audit?result=refused`,
        headers: { "x-auth-token": admin },
      });
      return answer.json().count;
    };
    assert.equal(await written(), 100);
    clock.set(clock.nowUs() + 5_000_000);
    for (let turn = 0; turn < 10; turn += 1) await call();
    assert.equal(await written(), 105);
    await harness.close();
  });
});

test("every published event has an operation", () => {
  // The names of the cloud's trace service, but disableProtect and deleteVaultBackup, which no operation makes.
  const published =
    "createPolicy updatePolicy deletePolicy associatePolicy dissociatePolicy createVault updateVault deleteVault removeResources addResources " +
    "replicateVaultBackup createVaultBackup createBackup deleteBackup syncBackup restoreBackup replicateBackup setResources migrateResources " +
    "syncVaultBackup bulkCreateDeleteVaultTag createVaultTag deleteVaultTag createBackupMember updateBackupMember deleteBackupMember updateBackup";
  assert.deepEqual([...new Set(Object.values(publishedEvents))].toSorted(), published.split(" ").toSorted());
});
