import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sampleDiskBackup, sampleServerView, sampleView } from "../../../test/support/backup-samples.ts";
import { renderBackup } from "./render-backup.ts";

/** Every field that any published page of the operation documents, by its JSON type. `?` = may be null. */
const backupFields: Record<string, string> = {
  id: "string",
  name: "string",
  description: "string?",
  status: "string",
  image_type: "string",
  resource_id: "string",
  resource_name: "string",
  resource_type: "string",
  resource_size: "number",
  resource_az: "string?",
  project_id: "string",
  enterprise_project_id: "string",
  vault_id: "string",
  provider_id: "string",
  checkpoint_id: "string",
  parent_id: "string?",
  children: "array",
  created_at: "string",
  updated_at: "string?",
  protected_at: "string?",
  expired_at: "string?",
  incremental: "boolean",
  version: "number",
  replication_records: "array",
  extend_info: "object",
};
const extendFields: Record<string, string> = {
  auto_trigger: "boolean",
  bootable: "boolean?",
  system_disk: "boolean",
  contain_system_disk: "boolean?",
  encrypted: "boolean?",
  incremental: "boolean",
  snapshot_id: "string?",
  support_lld: "boolean?",
  supported_restore_mode: "string?",
  os_images_data: "array",
  is_multi_az: "boolean",
  app_consistency: "object?",
  architecture: "string?",
  progress: "number?",
};

function assertShape(value: object, fields: Record<string, string>): void {
  assert.deepEqual(Object.keys(value).sort(), Object.keys(fields).sort());
  for (const [key, wanted] of Object.entries(fields)) {
    const actual: unknown = (value as Record<string, unknown>)[key];
    if (actual === null) {
      assert.ok(wanted.endsWith("?"), `${key} must not be null`);
      continue;
    }
    assert.equal(Array.isArray(actual) ? "array" : typeof actual, wanted.replace("?", ""), key);
  }
}

describe("CBR's rendering of a backup", () => {
  test("has every documented key, with the documented type, and no other: disk, server, child", () => {
    const server = renderBackup(sampleServerView());
    const disk = renderBackup(sampleView(sampleDiskBackup()));
    const queued = renderBackup(
      sampleView(
        sampleDiskBackup({
          status: "waiting_protect",
          name: null,
          description: null,
          resourceAz: null,
          snapshotId: null,
          statistics: null,
          rootKey: null,
          progress: null,
          updatedAt: null,
          protectedAt: null,
          expiredAt: null,
        }),
      ),
    );
    for (const body of [server, disk, queued, ...server.children]) {
      assertShape(body, backupFields);
      assertShape(body.extend_info, extendFields);
      assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(body))).length, Object.keys(backupFields).length);
    }
  });

  test("golden: a server backup with two disks", () => {
    const body = renderBackup(sampleServerView());
    const { children, ...parent } = body;
    assert.deepEqual(parent, {
      id: "11111111-1111-4111-8111-111111111111",
      name: "nightly",
      description: "before the upgrade",
      status: "available",
      image_type: "backup",
      version: 3,
      incremental: true,
      resource_id: "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb",
      resource_name: "web-1",
      resource_type: "OS::Nova::Server",
      resource_size: 20,
      resource_az: "az1",
      provider_id: "0daac4c5-6707-4851-97ba-169e36266b66",
      project_id: "00000000000000000000000000000001",
      enterprise_project_id: "0",
      vault_id: "33333333-3333-4333-8333-333333333333",
      checkpoint_id: "44444444-4444-4444-8444-444444444444",
      parent_id: null,
      created_at: "2030-01-02T03:04:05.000006",
      updated_at: "2030-01-02T03:09:00.120006",
      protected_at: "2030-01-02T03:04:06.500006",
      expired_at: "2030-02-01T03:04:05.000006",
      replication_records: [],
      extend_info: {
        auto_trigger: false,
        bootable: null,
        system_disk: false,
        contain_system_disk: true,
        encrypted: null,
        incremental: true,
        snapshot_id: null,
        support_lld: true,
        supported_restore_mode: "backup",
        os_images_data: [],
        is_multi_az: false,
        app_consistency: null,
        architecture: "x86_64",
        progress: null,
      },
    });
    assert.equal(children.length, 2);
    const [boot, data] = children;
    assert.equal(boot?.parent_id, parent.id);
    assert.equal(boot?.provider_id, "0daac4c5-6707-4851-97ba-169e36266b66", "a child carries the server's provider id");
    assert.equal(boot?.resource_az, null);
    assert.deepEqual(boot?.children, []);
    assert.deepEqual(
      { ...boot?.extend_info },
      {
        auto_trigger: false,
        bootable: true,
        system_disk: true,
        contain_system_disk: null,
        encrypted: true,
        incremental: true,
        snapshot_id: "66666666-6666-4666-8666-666666666666",
        support_lld: null,
        supported_restore_mode: null,
        os_images_data: [],
        is_multi_az: false,
        app_consistency: null,
        architecture: null,
        progress: null,
      },
    );
    assert.equal(data?.extend_info.encrypted, false);
    assert.equal(data?.extend_info.bootable, false);
  });

  test("a disk backup of its own has the disk's provider id and a percentage", () => {
    const body = renderBackup(sampleView(sampleDiskBackup({ status: "protecting", progress: 37, rootKey: null })));
    assert.equal(body.provider_id, "d1603440-187d-4516-af25-121250c7cc97");
    assert.equal(body.extend_info.progress, 37);
    assert.equal(body.extend_info.support_lld, false, "nothing can be read before the root object is stored");
    assert.equal(body.extend_info.supported_restore_mode, null);
  });

  test("the restore mode of a server backup follows its state and whether the server is still there", () => {
    const mode = (patch: Parameters<typeof sampleServerView>[0], resourceExists = true) =>
      renderBackup({ ...sampleServerView(patch), resourceExists }).extend_info.supported_restore_mode;
    assert.equal(mode({}), "backup");
    assert.equal(mode({}, false), "na");
    assert.equal(mode({ status: "protecting" }), "na");
    assert.equal(mode({ status: "error" }), "na");
  });

  test("lazy loading needs a root object, or one for every child, and a state in which it may be read", () => {
    const lld = (view: Parameters<typeof renderBackup>[0]) => renderBackup(view).extend_info.support_lld;
    const server = sampleServerView();
    assert.equal(lld(server), true);
    assert.equal(lld({ ...server, children: server.children.map((child, i) => (i === 0 ? { ...child, rootKey: null } : child)) }), false);
    assert.equal(lld({ ...server, children: [] }), false);
    assert.equal(lld(sampleView(sampleDiskBackup({ status: "restoring" }))), true);
    assert.equal(lld(sampleView(sampleDiskBackup({ status: "deleting" }))), false);
    assert.equal(lld(sampleView(sampleDiskBackup({ status: "error", rootKey: null }))), false);
  });

  test("a list shows no children, yet tells the same of the backup", () => {
    const listed = renderBackup(sampleServerView(), { withChildren: false });
    assert.deepEqual(listed.children, []);
    assert.deepEqual({ ...renderBackup(sampleServerView()), children: [] }, listed);
  });

  test("the same fact in two places is equal", () => {
    for (const incremental of [true, false]) {
      const body = renderBackup(sampleView(sampleDiskBackup({ incremental })));
      assert.equal(body.incremental, incremental);
      assert.equal(body.extend_info.incremental, incremental);
    }
  });
});
