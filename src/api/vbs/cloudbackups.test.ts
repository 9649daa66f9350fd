import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, projectA, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { newVolume, stored, unknownId, vbs } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

const jobs = vbs.replace("v2", "v1");

describe("cloudbackups", () => {
  test("a creation is followed as a job and shows what was asked for", async () => {
    const volumeId = await newVolume(service, "disk");
    const tags = [{ key: "team", value: "a b" }];
    const made = await ask(service, "POST", `${vbs}/cloudbackups`, {
      body: { backup: { volume_id: volumeId, name: "nightly", description: "d", tags } },
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    assert.deepEqual(Object.keys(made.body), ["job_id"]);
    const { body: job } = await ask(service, "GET", `${jobs}/jobs/${made.body.job_id}`);
    assert.deepEqual([job.job_id, job.job_type, job.status], [made.body.job_id, "bksCreateBackup", "INIT"]);
    assert.match(job.begin_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual([job.end_time, job.error_code, job.fail_reason], [null, null, null]);
    assert.deepEqual(job.entities, { backup_id: job.entities.backup_id, bks_create_volume_name: "disk", volume_id: volumeId });
    const { backup } = (await ask(service, "GET", `${vbs}/backups/${job.entities.backup_id}`)).body;
    assert.deepEqual([backup.name, JSON.parse(backup.description)], ["nightly", { DESC: "d", INC: 1 }]);
    assert.deepEqual((await service.context.catalog.backups.get(projectA, backup.id))?.metadata, { team: "a b" });
  });

  test("FullBackup asks for a full one", async () => {
    for (const [value, incremental] of [
      ["true", false],
      ["false", true],
    ] as const) {
      const backup = { volume_id: await newVolume(service, value), name: `full-${value}`, extend_param: { FullBackup: value } };
      const { body } = await ask(service, "POST", `${vbs}/cloudbackups`, { body: { backup } });
      const task = await service.context.catalog.tasks.get(projectA, body.job_id);
      assert.equal((await service.context.catalog.backups.get(projectA, task!.backupId!))?.incrementalRequested, incremental);
    }
  });

  test("a job that failed says why", async () => {
    const backup = { volume_id: await newVolume(service, "failing"), name: "failing" };
    const { job_id: id } = (await ask(service, "POST", `${vbs}/cloudbackups`, { body: { backup } })).body;
    await service.context.catalog.tasks.finishWaiting(id, { status: "failed", now: 1, errorCode: "BackupService.9910", errorMessage: "why" });
    const { body: job } = await ask(service, "GET", `${jobs}/jobs/${id}`);
    assert.deepEqual([job.status, job.error_code, job.fail_reason], ["FAIL", "BackupService.9910", "why"]);
    assert.ok(job.end_time);
  });

  test("restore and delete answer a job; what is wrong answers VBS's own codes", async () => {
    const { full } = await stored(service);
    const volumeId = await newVolume(service, "target", { size: 20 });
    const restored = await ask(service, "POST", `${vbs}/cloudbackups/${full.id}/restore`, { body: { restore: { volume_id: volumeId } } });
    assert.equal(restored.status, 200, JSON.stringify(restored.body));
    assert.equal((await ask(service, "GET", `${jobs}/jobs/${restored.body.job_id}`)).body.job_type, "bksRestoreBackup");
    const other = await stored(service);
    const deleted = await ask(service, "POST", `${vbs}/cloudbackups/${other.full.id}`);
    assert.equal((await ask(service, "GET", `${jobs}/jobs/${deleted.body.job_id}`)).body.job_type, "bksDeleteBackup");
    for (const [method, path, body, status, code] of [
      ["GET", `${jobs}/jobs/${unknownId}`, undefined, 404, "common.0011"],
      ["GET", `${jobs}/jobs/x`, undefined, 404, "common.0011"],
      ["POST", `${vbs}/cloudbackups`, { backup: { volume_id: volumeId, name: "automatic" } }, 400, "VolumeBackup.0002"],
      ["POST", `${vbs}/cloudbackups`, { backup: { volume_id: unknownId, name: "b" } }, 404, "VolumeBackup.0021"],
      ["POST", `${vbs}/cloudbackups/${unknownId}/restore`, { restore: { volume_id: volumeId } }, 404, "VolumeBackup.0111"],
    ] as const) {
      const answer = await ask(service, method, path, body === undefined ? {} : { body });
      assert.deepEqual([answer.status, answer.body.error.code], [status, code], path);
    }
  });

  test("the quota counts the project's disk backups", async () => {
    const { resources } = (await ask(service, "GET", `${vbs}/cloudbackups/quota`)).body.quotas;
    const { items } = await service.context.catalog.backups.list(projectA, { resourceType: "OS::Cinder::Volume" }, { limit: 100, offset: 0 });
    assert.deepEqual(resources, [
      { type: "backups", used: items.length, reserved: 0, quota: -1 },
      { type: "backup_gigabytes", used: items.reduce((sum, { backup }) => sum + backup.resourceSizeGib, 0), reserved: 0, quota: -1 },
    ]);
  });
});
