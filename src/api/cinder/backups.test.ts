import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, projectA, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { cbr, newVolume, stored, unknownId, vbs, volume } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

describe("Block Storage: backups", () => {
  test("create answers only id, name and links; strict about keys, lenient about null and words", async () => {
    const volumeId = await newVolume(service, "to-back-up");
    const create = (base: string, backup: unknown, headers = {}) => ask(service, "POST", `${base}/backups`, { body: { backup }, headers });
    const made = await create(volume, {
      volume_id: volumeId,
      name: "b",
      container: null,
      snapshot_id: null,
      description: null,
      incremental: "False",
      force: "true",
    });
    assert.equal(made.status, 202, JSON.stringify(made.body));
    assert.deepEqual(Object.keys(made.body.backup).sort(), ["id", "links", "name"]);
    const shown = await ask(service, "GET", `${volume}/backups/${made.body.backup.id}`);
    assert.deepEqual([shown.body.backup.status, shown.body.backup.is_incremental], ["creating", false]);
    const inCbr = await ask(service, "GET", `${cbr}/backups/${made.body.backup.id}`);
    assert.equal(inCbr.body.backup.status, "waiting_protect", "a disk backup of either side is seen from both");
    const bad: [string, object, RegExp][] = [
      [volume, { volume_id: volumeId, project_id: projectA }, /project_id/],
      [volume, { volume_id: volumeId, metadata: { a: "1" } }, /3\.43/],
      [volume, { volume_id: "x" }, /volume_id/],
      [volume, { volume_id: volumeId, force: "perhaps" }, /force/],
      [volume, { volume_id: volumeId, name: "x".repeat(256) }, /name/],
      [vbs, { volume_id: volumeId, unknown: 1 }, /unknown/],
      [volume, { volume_id: volumeId, availability_zone: "mars" }, /availability_zone/],
    ];
    for (const [base, backup, message] of bad) {
      const answer = await create(base, backup);
      assert.equal(answer.status, 400, JSON.stringify(backup));
      assert.match(answer.body.badRequest.message, message);
    }
    const other = await newVolume(service, "to-back-up-2");
    assert.equal((await create(vbs, { volume_id: other, project_id: projectA })).status, 202);
    const none = await create(volume, { volume_id: await newVolume(service, "no-base"), incremental: true });
    assert.equal(none.status, 400, "an incremental backup without a base is refused");
    assert.equal((await create(volume, { volume_id: unknownId })).body.itemNotFound.code, 404);
  });

  test("lists page with marker and link, and count only when asked from 3.45", async () => {
    const { volumeId, full, increment } = await stored(service);
    const list = async (query: string, version?: string) =>
      (
        await ask(
          service,
          "GET",
          `${volume}/backups?volume_id=${volumeId}&${query}`,
          version ? { headers: { "openstack-api-version": `volume ${version}` } } : {},
        )
      ).body;
    const whole = await list("");
    assert.deepEqual(
      whole.backups.map((backup: { id: string }) => backup.id),
      [increment.id, full.id],
    );
    assert.deepEqual(Object.keys(whole), ["backups"]);
    assert.deepEqual(Object.keys(whole.backups[0]).sort(), ["id", "links", "name"]);
    const first = await list("limit=1");
    assert.equal(first.backups_links[0].rel, "next");
    const next = await ask(service, "GET", first.backups_links[0].href.slice("http://cbr.test".length));
    assert.deepEqual(
      next.body.backups.map((backup: { id: string }) => backup.id),
      [full.id],
    );
    assert.deepEqual(await list(`limit=5&marker=${full.id}`), { backups: [] });
    assert.equal((await list("limit=1&with_count=true", "3.45")).count, 2);
    assert.equal((await list("limit=1&with_count=true", "3.44")).count, undefined);
    assert.deepEqual((await list("sort=created_at:asc")).backups[0].id, full.id);
    assert.deepEqual((await list("sort_key=name&sort_dir=asc")).backups[0].id, full.id);
    assert.deepEqual((await list("status=creating")).backups, []);
    assert.deepEqual(
      (await list("name~=cre")).backups.map((backup: { id: string }) => backup.id),
      [increment.id],
    );
    assert.equal((await list("nonsense=1", "3.31")).badRequest.code, 400);
    assert.equal((await list("nonsense=1", "3.30")).backups.length, 2);
    assert.deepEqual((await list("limit=0")).backups, []);
    assert.equal((await list("limit=-1")).badRequest.code, 400);
    assert.equal((await list("all_tenants=False")).backups.length, 2);
    assert.equal((await list("all_tenants=1")).backups.length, 2, "an ordinary user sees its own");
  });

  test("the microversion is echoed, and one that is not offered is 406", async () => {
    const get = (header?: string) =>
      ask(service, "GET", `${volume}/backups`, header === undefined ? {} : { headers: { "openstack-api-version": header } });
    assert.equal((await get()).headers["openstack-api-version"], "volume 3.0");
    const asked = await get("volume 3.45");
    assert.deepEqual([asked.headers["openstack-api-version"], asked.headers["vary"]], ["volume 3.45", "OpenStack-API-Version"]);
    assert.equal((await get("volume latest")).headers["openstack-api-version"], "volume 3.70");
    const above = await get("volume 3.71");
    assert.deepEqual([above.status, above.body.computeFault.code], [406, 406]);
    const { full } = await stored(service);
    const shown = await ask(service, "GET", `${volume}/backups/${full.id}`, { headers: { "openstack-api-version": "volume 3.64" } });
    assert.deepEqual(
      [shown.body.backup.metadata, shown.body.backup.user_id, shown.body.backup.encryption_key_id],
      [{ ticket: "4711" }, full.userId, full.encryption?.cmkId],
    );
  });

  test("a name is tried as an id first and must be 404; a part of a server backup is not deleted alone", async () => {
    const { child } = await stored(service);
    for (const id of ["nightly", "None", unknownId]) assert.equal((await ask(service, "GET", `${volume}/backups/${id}`)).body.itemNotFound.code, 404);
    const deleted = await ask(service, "DELETE", `${volume}/backups/${child.id}`);
    assert.equal(deleted.status, 400);
  });

  test("a delete is accepted at once; with the setting on, not while others were compared with it", async () => {
    const { full } = await stored(service);
    assert.equal((await ask(service, "DELETE", `${volume}/backups/${full.id}`)).status, 202);
    assert.equal((await ask(service, "GET", `${volume}/backups/${full.id}`)).body.backup.status, "deleting");
    const strict = await openDialectApp({ refuseDependentDeletes: true });
    try {
      const relaxed = service;
      service = strict;
      const chain = await stored(service);
      assert.equal((await ask(strict, "DELETE", `${volume}/backups/${chain.full.id}`)).status, 400);
      assert.equal((await ask(strict, "DELETE", `${volume}/backups/${chain.increment.id}`)).status, 202);
      service = relaxed;
    } finally {
      await strict.close();
    }
  });

  test("versions are told without a token", async () => {
    for (const [url, status] of [
      ["/volume/", 300],
      ["/volume", 300],
      ["/volume/v3/", 200],
      ["/volume/v3", 200],
      ["/volume/v2/", 200],
    ] as const) {
      const answer = await ask(service, "GET", url, { as: "" });
      assert.equal(answer.status, status, url);
      const v3 = answer.body.versions.find((version: { id: string }) => version.id === "v3.0");
      assert.deepEqual([v3.status, v3.version, v3.min_version, v3.links[0].href], ["CURRENT", "3.70", "3.0", "http://cbr.test/volume/v3/"]);
    }
    for (const url of ["/cbr", "/cbr/cbr", "/cbr/vbs"]) {
      const answer = await ask(service, "GET", url, { as: "" });
      assert.deepEqual([answer.status, answer.body.versions[0].links[0].href], [300, "http://cbr.test/cbr/v3"], url);
    }
    assert.equal((await ask(service, "GET", "/cbr/nothing", { as: "" })).status, 404);
  });
});
