import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, projectA, projectB, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { newVolume, own, volume } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

describe("Block Storage: volumes and snapshots", () => {
  const volumeKeys = (
    "attachments availability_zone bootable consistencygroup_id created_at description encrypted id links metadata migration_status " +
    "multiattach name replication_status size snapshot_id source_volid status updated_at user_id volume_type"
  ).split(" ");

  test("a volume has exactly the keys that strict clients accept", async () => {
    const made = await ask(service, "POST", `${volume}/volumes`, {
      body: {
        volume: {
          size: 1,
          name: null,
          description: null,
          imageRef: null,
          snapshot_id: null,
          source_volid: null,
          metadata: {},
          multiattach: false,
          availability_zone: null,
          volume_type: null,
        },
      },
    });
    assert.equal(made.status, 202, JSON.stringify(made.body));
    assert.deepEqual(Object.keys(made.body.volume).sort(), volumeKeys.toSorted());
    assert.equal(made.body.volume.bootable, "false");
    const shown = await ask(service, "GET", `${volume}/volumes/${made.body.volume.id}`);
    assert.deepEqual(Object.keys(shown.body.volume).sort(), volumeKeys.toSorted());
    assert.deepEqual((await ask(service, "GET", `${volume}/volumes?name=${made.body.volume.name}x`)).body, { volumes: [] });
  });

  test("encryption follows EVS's keys, and the volume key is never told", async () => {
    const volumeKey = "ab".repeat(32);
    const metadata = {
      __system__encrypted: "1",
      __system__cmkid: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
      __system__volume_key: volumeKey,
      owner: "x",
    };
    const id = await newVolume(service, "secret", { metadata });
    for (const url of [`${volume}/volumes/${id}`, `${volume}/volumes/${id}/metadata`, `${volume}/volumes/detail`, `${own}/resources/${id}`]) {
      const answer = await ask(service, "GET", url);
      assert.equal(answer.status, 200);
      assert.ok(!answer.raw.includes(volumeKey), url);
    }
    assert.equal((await ask(service, "GET", `${volume}/volumes/${id}`)).body.volume.encrypted, true);
    const merged = await ask(service, "POST", `${volume}/volumes/${id}/metadata`, { body: { metadata: { more: "1" } } });
    assert.deepEqual(merged.body.metadata, { owner: "x", more: "1", __system__encrypted: "1", __system__cmkid: metadata.__system__cmkid });
    assert.equal((await ask(service, "DELETE", `${volume}/volumes/${id}/metadata/more`)).status, 200);
    assert.equal((await ask(service, "GET", `${volume}/volumes/${id}/metadata/more`)).status, 404);
    assert.deepEqual((await ask(service, "GET", `${volume}/volumes/${id}/metadata/owner`)).body, { meta: { owner: "x" } });
    const bad = await ask(service, "POST", `${volume}/volumes`, {
      body: { volume: { size: 1, metadata: { ...metadata, __system__volume_key: "short" } } },
    });
    assert.match(bad.body.badRequest.message, /__system__volume_key/);
  });

  test("is renamed, grown, made bootable; only an administrator resets its status", async () => {
    const id = await newVolume(service, "before");
    const renamed = await ask(service, "PUT", `${volume}/volumes/${id}`, { body: { volume: { name: "after", description: "d" } } });
    assert.deepEqual([renamed.status, renamed.body.volume.name, renamed.body.volume.description], [200, "after", "d"]);
    const act = (body: unknown, as = `member@${projectA}`) => ask(service, "POST", `${volume}/volumes/${id}/action`, { body, as });
    assert.equal((await act({ "os-extend": { new_size: 2 } })).status, 202);
    assert.equal((await act({ "os-set_bootable": { bootable: "True" } })).status, 200);
    const { volume: now } = (await ask(service, "GET", `${volume}/volumes/${id}`)).body;
    assert.deepEqual([now.size, now.bootable], [2, "true"]);
    assert.equal((await act({ "os-reset_status": { status: "error" } })).status, 403);
    assert.equal((await act({ "os-reset_status": { status: "error" } }, `admin@${projectA}`)).status, 202);
    assert.equal((await ask(service, "GET", `${volume}/volumes/${id}`)).body.volume.status, "error");
    for (const body of [{}, { "os-attach": {} }, { "os-extend": { new_size: -1 } }, { "os-extend": {}, "os-set_bootable": {} }])
      assert.equal((await act(body)).status, 400, JSON.stringify(body));
  });

  test("a snapshot's creation lacks what its showing adds", async () => {
    const volumeId = await newVolume(service, "snapped");
    const made = await ask(service, "POST", `${volume}/snapshots`, {
      body: { snapshot: { volume_id: volumeId, name: "s", force: "true", metadata: null } },
    });
    assert.equal(made.status, 202, JSON.stringify(made.body));
    assert.ok(!Object.keys(made.body.snapshot).some((key) => key.startsWith("os-extended")));
    const { id } = made.body.snapshot;
    const shown = (await ask(service, "GET", `${volume}/snapshots/${id}`)).body.snapshot;
    assert.equal(shown["os-extended-snapshot-attributes:project_id"], projectA);
    const listed = (await ask(service, "GET", `${volume}/snapshots/detail?volume_id=${volumeId}`)).body;
    assert.deepEqual(
      listed.snapshots.map((snapshot: { id: string }) => snapshot.id),
      [id],
    );
    assert.equal((await ask(service, "GET", `${volume}/snapshots/s`)).status, 404);
  });

  test("the service's facts are counted and true", async () => {
    const { limits } = (await ask(service, "GET", `${volume}/limits`)).body;
    const { quota_set: quotas } = (await ask(service, "GET", `${volume}/os-quota-sets/${projectA}?usage=true`)).body;
    assert.equal(limits.absolute.totalVolumesUsed, quotas.volumes.in_use);
    assert.ok(quotas.volumes.in_use > 0 && quotas.volumes.limit === -1);
    assert.equal((await ask(service, "GET", `${volume}/os-quota-sets/${projectB}`)).status, 403);
    const { services } = (await ask(service, "GET", `${volume}/os-services`)).body;
    assert.deepEqual([services[0].binary, services[0].status, services[0].state], ["cinder-backup", "enabled", "up"]);
    const { volume_types: types } = (await ask(service, "GET", `${volume}/types`)).body;
    assert.deepEqual((await ask(service, "GET", `${volume}/types/${types[0].id}`)).body.volume_type, types[0]);
    const id = await newVolume(service, "typed");
    assert.equal((await ask(service, "GET", `${volume}/volumes/${id}`)).body.volume.volume_type, types[0].name);
    assert.deepEqual((await ask(service, "GET", `${volume}/os-availability-zone`)).body.availabilityZoneInfo[0].zoneName, "az1");
    assert.ok((await ask(service, "GET", `${volume}/extensions`)).body.extensions.length > 0);
  });
});
