import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, type DialectApp, openDialectApp, projectA } from "../../../test/support/dialect-app.ts";
import { cbr, newVault, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

const item = {
  backup_id: unknownId,
  backup_name: "again",
  bucket_name: "old",
  created_at: 1_700_000_000,
  image_path: projectA,
  resource_id: unknownId,
  resource_name: "disk",
  resource_type: "OS::Cinder::Volume",
};

test("a vault's sync answers its task; a second one at the same time is refused", async () => {
  const vaultId = await newVault(service, "synced");
  const body = { sync: { vault_id: vaultId, auto_trigger: false } };
  const first = await ask(service, "POST", `${cbr}/checkpoints/sync`, { body });
  assert.deepEqual([first.status, first.body.sync.vault_id], [200, vaultId]);
  const log = await ask(service, "GET", `${cbr}/operation-logs/${first.body.sync.operation_log_id}`);
  assert.deepEqual([log.body.operation_log.operation_type, log.body.operation_log.vault_id], ["sync", vaultId]);
  assert.deepEqual(log.body.operation_log.extra_info.sync, { sync_backup_num: 0, delete_backup_num: 0, err_sync_backup_num: 0 });
  assert.equal((await ask(service, "GET", `${cbr}/operation-logs?operation_type=sync`)).body.count, 1);
  const second = await ask(service, "POST", `${cbr}/checkpoints/sync`, { body });
  assert.deepEqual([second.status, second.body.error_code], [400, "BackupService.7302"]);
});

test("what is refused names the field and queues nothing", async () => {
  const wrong: [object, RegExp][] = [
    [{ sync: [] }, /sync/],
    [{ sync: [{ ...item, backup_id: "b" }] }, /sync\[0\]\.backup_id/],
    [{ sync: [{ ...item, image_path: "../../etc" }] }, /sync\[0\]\.image_path/],
    [{ sync: [{ ...item, image_path: `t/${projectA}/roots/11111111-1111-4111-8111-111111111111` }] }, /image_path/],
    [{ sync: [{ ...item, backup_name: "<" }] }, /backup_name/],
    [{ sync: [{ ...item, bucket_name: "../old" }] }, /bucket_name/],
    [{ sync: [item] }, /bucket_name/],
  ];
  for (const [body, names] of wrong) {
    const answer = await ask(service, "POST", `${cbr}/backups/sync`, { body });
    assert.deepEqual([answer.status, answer.body.error_code], [400, "BackupService.9900"], answer.body.error_msg);
    assert.match(answer.body.error_msg, names);
  }
  const unknown = await ask(service, "POST", `${cbr}/checkpoints/sync`, { body: { sync: { vault_id: unknownId, auto_trigger: true } } });
  assert.deepEqual([unknown.status, unknown.body.error_code], [404, "BackupService.6105"]);
  assert.equal((await ask(service, "POST", `${cbr}/backups/sync`, { body: { sync: [item] }, as: `reader@${projectA}` })).status, 403);
  assert.equal((await ask(service, "GET", `${cbr}/operation-logs`)).body.count, 1);
});
