import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { billing, cbr, newVault, newVolume, own, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

test("resource_details picks resources and, of servers, disks; what is wrong with it is named", async () => {
  const disks = [await newVolume(service, "root"), await newVolume(service, "data")];
  const attached = disks.map((id, index) => ({ volume_id: id, system_disk: index === 0 }));
  const made = await ask(service, "POST", `${own}/resources`, { body: { resource: { type: "OS::Nova::Server", name: "web", disks: attached } } });
  assert.ok(made.status < 300, JSON.stringify(made.body));
  const { id } = made.body.resource;
  const type = "OS::Nova::Server";
  const vaultId = await newVault(service, "details", { billing: { ...billing, object_type: "server" }, resources: [{ id, type }] });
  const run = (detail: object) =>
    ask(service, "POST", `${cbr}/checkpoints`, { body: { checkpoint: { vault_id: vaultId, parameters: { resource_details: [detail] } } } });
  const bad: [object, number, string][] = [
    [{ id, type, extra_info: { exclude_volumes: [unknownId] } }, 400, "9900"],
    [{ id, type, extra_info: { include_volumes: [{ id: unknownId }] } }, 400, "9900"],
    [{ id, type, extra_info: { exclude_volumes: "all" } }, 400, "9900"],
    [{ id, type: "OS::Cinder::Volume" }, 400, "9900"],
    [{ id: unknownId, type }, 400, "6135"],
    [{ id, type, extra_info: { exclude_volumes: disks } }, 400, "0001"],
  ];
  for (const [detail, status, code] of bad) {
    const answer = await run(detail);
    assert.deepEqual([answer.status, answer.body.error_code], [status, `BackupService.${code}`], JSON.stringify(detail));
  }
  assert.equal((await ask(service, "GET", `${cbr}/backups?vault_id=${vaultId}`)).body.count, 0, "nothing was made");
  const { status, body } = await run({ id, type, name: "web", extra_info: { include_volumes: [{ id: disks[1], os_version: "Debian" }] } });
  assert.equal(status, 200, JSON.stringify(body));
  const [backup] = (await ask(service, "GET", `${cbr}/backups?checkpoint_id=${body.checkpoint.id}`)).body.backups;
  const shown = (await ask(service, "GET", `${cbr}/backups/${backup.id}`)).body.backup;
  assert.deepEqual(
    shown.children.map((child: { resource_id: string }) => child.resource_id),
    [disks[1]],
  );
});
