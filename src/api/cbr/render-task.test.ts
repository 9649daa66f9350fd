import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Task } from "#model/task.ts";
import { sampleCreatedUs } from "../../../test/support/backup-samples.ts";
import { renderTask, taskPercent } from "./render-task.ts";

function task(patch: Partial<Task> = {}): Task {
  return {
    id: "99999999-9999-4999-8999-999999999999",
    projectId: "00000000000000000000000000000001",
    type: "backup",
    status: "running",
    vaultId: "33333333-3333-4333-8333-333333333333",
    vaultName: "vault",
    checkpointId: "44444444-4444-4444-8444-444444444444",
    policyId: null,
    providerId: "d1603440-187d-4516-af25-121250c7cc97",
    backupId: "55555555-5555-4555-8555-555555555555",
    backupName: "nightly",
    resourceId: "22222222-2222-4222-8222-222222222222",
    resourceName: "disk-1",
    resourceType: "OS::Cinder::Volume",
    input: {},
    result: {},
    progress: { phase: "reading", bytesDone: 50, bytesTotal: 200, rate: 25 },
    requestId: "req-1",
    errorCode: "",
    errorMessage: "",
    cancelRequested: false,
    fencingToken: 1,
    leaseOwner: null,
    leaseExpiresAt: null,
    createdAt: sampleCreatedUs,
    startedAt: sampleCreatedUs + 1_000_000,
    updatedAt: sampleCreatedUs + 2_000_000,
    endedAt: null,
    ...patch,
  };
}

describe("CBR's rendering of a task", () => {
  test("golden: a running backup", () => {
    assert.deepEqual(renderTask(task()), {
      id: "99999999-9999-4999-8999-999999999999",
      project_id: "00000000000000000000000000000001",
      operation_type: "backup",
      status: "running",
      provider_id: "d1603440-187d-4516-af25-121250c7cc97",
      vault_id: "33333333-3333-4333-8333-333333333333",
      vault_name: "vault",
      checkpoint_id: "44444444-4444-4444-8444-444444444444",
      policy_id: null,
      created_at: "2030-01-02T03:04:05.000006",
      started_at: "2030-01-02T03:04:06.000006",
      updated_at: "2030-01-02T03:04:07.000006",
      ended_at: null,
      error_info: { code: "", message: "" },
      extra_info: {
        common: {
          progress: 25,
          request_id: "req-1",
          task_id: "99999999-9999-4999-8999-999999999999",
          phase: "reading",
          bytes_done: 50,
          bytes_total: 200,
          rate: 25,
          seconds_left: 6,
        },
        resource: { id: "22222222-2222-4222-8222-222222222222", name: "disk-1", type: "OS::Cinder::Volume", extra_info: null },
        backup: {
          backup_id: "55555555-5555-4555-8555-555555555555",
          backup_name: "nightly",
          app_consistency_status: "0",
          app_consistency_error_code: "0",
          app_consistency_error_message: "",
        },
      },
    });
  });

  test("each kind has the section of its own, with what its run found", () => {
    const section = (patch: Partial<Task>): Record<string, unknown> => {
      const {
        common: _common,
        resource: _resource,
        ...rest
      } = renderTask(task({ status: "success", ...patch })).extra_info as Record<string, unknown>;
      return rest;
    };
    const named = { backup_id: "55555555-5555-4555-8555-555555555555", backup_name: "nightly" };
    assert.deepEqual(section({ type: "delete" }), { delete: named });
    assert.deepEqual(section({ type: "restore", input: { targetResourceId: "t", targetResourceName: "target" }, result: { writtenBytes: 5 } }), {
      restore: { ...named, target_resource_id: "t", target_resource_name: "target", written_bytes: 5 },
    });
    assert.deepEqual(section({ type: "vault_delete", result: { failCount: 1, totalCount: 3 } }), { vault_delete: { fail_count: 1, total_count: 3 } });
    const removed = section({ type: "remove_resource", result: { failCount: 0, totalCount: 2 } })["remove_resources"] as {
      total_count: number;
      resources: object[];
    };
    assert.deepEqual([removed.total_count, removed.resources.length], [2, 1]);
    const backup = section({ result: { readBytes: 10, warnings: ["the source was written while it was read"], incremental: true } })[
      "backup"
    ] as Record<string, unknown>;
    assert.deepEqual([backup["read_bytes"], backup["warnings"]], [10, ["the source was written while it was read"]]);
    assert.ok(!("incremental" in backup), "no value of it suits every client");
  });

  test("the time left is told while it can be, and none when it is over", () => {
    const leftOf = (over: Partial<Task>): unknown => renderTask(task(over)).extra_info.common.seconds_left;
    const progress = { phase: "reading", bytesDone: 1000, bytesTotal: 3001, rate: 100 };
    assert.equal(leftOf({ status: "running", progress }), 21);
    assert.equal(leftOf({ status: "running", progress: { ...progress, bytesTotal: null } }), null);
    assert.equal(leftOf({ status: "running", progress: { ...progress, rate: 0 } }), null);
    assert.equal(leftOf({ status: "success", progress }), 0);
  });

  test("the percentage is whole, within bounds, and 100 only of what succeeded", () => {
    fc.assert(
      fc.property(fc.constantFrom("waiting", "running", "failed", "success"), fc.nat(), fc.option(fc.nat()), (status, bytesDone, bytesTotal) => {
        const percent = taskPercent({ status, progress: { phase: "", bytesDone, bytesTotal, rate: 0 } });
        assert.ok(Number.isInteger(percent) && percent >= 0 && percent <= 100);
        assert.equal(percent === 100, status === "success");
      }),
    );
  });
});
