import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, projectA, projectB, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { cbr, newVolume, stored, vbs, volume } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

const since = (minor: number) => ({ "openstack-api-version": `volume 3.${minor}` });

describe("Block Storage: what is said of a backup", () => {
  test("changes from 3.9 on, metadata from 3.43 on, and is the same in every dialect", async () => {
    const { full } = await stored(service);
    const url = `${volume}/backups/${full.id}`;
    const put = (backup: object, minor: number) => ask(service, "PUT", url, { body: { backup }, headers: since(minor) });
    assert.equal((await put({ name: "x" }, 8)).status, 404);
    assert.equal((await put({}, 9)).status, 400);
    assert.equal((await put({ size: 1 }, 9)).status, 400);
    assert.equal((await put({ metadata: { a: "b" } }, 42)).status, 400);
    const changed = await put({ name: "new name", description: "why" }, 9);
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    assert.deepEqual(Object.keys(changed.body.backup).toSorted(), ["id", "links", "name"]);
    const again = await put({ metadata: { a: "b" } }, 43);
    assert.deepEqual(again.body.backup.metadata, { a: "b" });
    const shown = (await ask(service, "GET", url, { headers: since(43) })).body.backup;
    assert.deepEqual([shown.name, shown.description, shown.metadata], ["new name", "why", { a: "b" }]);
    assert.equal((await ask(service, "GET", `${cbr}/backups/${full.id}`)).body.backup.name, "new name");
    assert.equal((await ask(service, "PUT", `${vbs}/backups/${full.id}`, { body: { backup: { name: null } } })).status, 200);
    assert.equal((await ask(service, "GET", url)).body.backup.name, null);
  });
});

describe("Block Storage: what administrators do to a backup", () => {
  test("the status is put by hand; what has no data does not become available", async () => {
    const { full } = await stored(service);
    const reset = (status: string, role = "admin") =>
      ask(service, "POST", `${volume}/backups/${full.id}/action`, { body: { "os-reset_status": { status } }, as: `${role}@${projectA}` });
    assert.equal((await reset("error", "member")).status, 403);
    assert.equal((await reset("deleting")).status, 400);
    assert.equal((await reset("error")).status, 202);
    assert.equal((await ask(service, "GET", `${volume}/backups/${full.id}`)).body.backup.status, "error");
    assert.equal((await reset("available")).status, 202);
    assert.equal((await ask(service, "GET", `${volume}/backups/${full.id}`)).body.backup.status, "available");
    await service.context.catalog.backups.update(full.id, { status: "error", rootKey: null });
    assert.equal((await reset("available")).status, 400);
  });

  test("force delete deletes; two actions at once, or none, are refused", async () => {
    const { full } = await stored(service);
    const act = (body: object) => ask(service, "POST", `${volume}/backups/${full.id}/action`, { body, as: `admin@${projectA}` });
    assert.equal((await act({})).status, 400);
    assert.equal((await act({ "os-force_delete": {}, "os-reset_status": { status: "error" } })).status, 400);
    assert.equal((await act({ "os-force_delete": {} })).status, 202);
    assert.equal((await ask(service, "GET", `${volume}/backups/${full.id}`)).body.backup.status, "deleting");
  });

  test("another project's volume is backed up into the administrator's own project, and by nobody else", async () => {
    const volumeId = await newVolume(service, "of-a");
    const elsewhere = volume.replace(projectA, projectB);
    const back = (role: string) =>
      ask(service, "POST", `${elsewhere}/backups`, { body: { backup: { volume_id: volumeId } }, as: `${role}@${projectB}` });
    assert.equal((await back("member")).status, 404);
    const made = await back("admin");
    assert.equal(made.status, 202, JSON.stringify(made.body));
    assert.equal((await service.context.catalog.backups.get(projectB, made.body.backup.id))?.resourceId, volumeId);
    assert.equal((await ask(service, "GET", `${volume}/backups/${made.body.backup.id}`)).status, 404);
  });
});
