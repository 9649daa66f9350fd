import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import { operationOf, type Task, taskIsOver } from "#model/task.ts";

/** Percent done, 0 to 100: by bytes while it runs; 100 only when it succeeded. */
export function taskPercent(task: Pick<Task, "status" | "progress">): number {
  if (task.status === "success") return 100;
  const { bytesDone, bytesTotal } = task.progress;
  if (bytesTotal === null || bytesTotal <= 0) return 0;
  return Math.min(99, Math.max(0, Math.floor((100 * bytesDone) / bytesTotal)));
}

/** Seconds until it is done if it goes on as it does; null when that cannot be told, 0 when it is over. */
function secondsLeft({ status, progress: { bytesDone, bytesTotal, rate } }: Pick<Task, "status" | "progress">): number | null {
  if (taskIsOver(status)) return 0;
  return bytesTotal === null || rate <= 0 ? null : Math.ceil(Math.max(0, bytesTotal - bytesDone) / rate);
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
const count = (value: unknown): number => (typeof value === "number" ? value : 0);

/** What a run found, under the wire's names; what it did not find is left out. */
function given(result: Readonly<Record<string, unknown>>, names: Readonly<Record<string, string>>): Record<string, unknown> {
  const found = Object.entries(names).filter(([, key]) => result[key] !== undefined);
  return Object.fromEntries(found.map(([name, key]) => [name, result[key]]));
}

const backupNames = {
  read_bytes: "readBytes",
  new_bytes: "newBytes",
  stored_bytes: "storedBytes",
  change_list: "changeList",
  change_list_reason: "changeListReason",
  warnings: "warnings",
};

const checkNames = {
  backups: "backups",
  pages: "pages",
  packs: "packs",
  packs_read: "packsRead",
  bytes_read: "bytesRead",
  records_verified: "recordsVerified",
  finding_count: "findingCount",
  findings: "findings",
  pack_results: "packResults",
  damaged_records: "damagedRecords",
  healed_records: "healedRecords",
  damaged_backups: "damagedBackups",
  oldest_verified_at: "oldestVerifiedAt",
};

const collectNames = {
  roots: "roots",
  purged: "purged",
  revived: "revived",
  condemned: "condemned",
  compacted: "compacted",
  deleted: "deleted",
  adopted: "adopted",
  swept_orphans: "sweptOrphans",
  pack_bytes: "packBytes",
  live_bytes: "liveBytes",
  condemned_bytes: "condemnedBytes",
  freed_bytes: "freedBytes",
  damaged_backups: "damagedBackups",
};

const replicationNames = {
  replication_record_id: "recordId",
  source_backup_id: "sourceBackupId",
  source_backup_name: "sourceBackupName",
  source_checkpoint_id: "sourceCheckpointId",
  source_project_id: "sourceProjectId",
  source_region: "sourceRegion",
  destination_backup_id: "destinationBackupId",
  destination_backup_name: "destinationBackupName",
  destination_checkpoint_id: "destinationCheckpointId",
  destination_project_id: "destinationProjectId",
  destination_region: "destinationRegion",
  received_bytes: "receivedBytes",
  new_bytes: "newBytes",
  stored_bytes: "storedBytes",
};

/** The section of `extra_info` that belongs to the kind of operation. */
function section(task: Task): Record<string, unknown> {
  const named = { backup_id: task.backupId, backup_name: task.backupName };
  const facts = { ...task.input, ...task.result };
  switch (task.type) {
    case "backup":
      return {
        backup: {
          ...named,
          app_consistency_status: "0",
          app_consistency_error_code: "0",
          app_consistency_error_message: "",
          ...given(task.result, backupNames),
        },
      };
    case "restore":
      return {
        restore: {
          ...named,
          target_resource_id: text(facts["targetResourceId"]) ?? task.resourceId,
          target_resource_name: text(facts["targetResourceName"]) ?? task.resourceName,
          ...given(task.result, { written_bytes: "writtenBytes", lost: "lost" }),
        },
      };
    case "delete":
      return { delete: named };
    case "remove_resource":
      return {
        remove_resources: {
          fail_count: count(facts["failCount"]),
          total_count: count(facts["totalCount"]),
          resources: task.resourceId === null ? [] : [{ id: task.resourceId, name: task.resourceName, type: task.resourceType }],
        },
      };
    case "replication":
    case "replica":
      return { replication: given(facts, replicationNames) };
    case "sync":
      return { sync: { sync_backup_num: count(facts["synced"]), delete_backup_num: 0, err_sync_backup_num: count(facts["failed"]) } };
    case "check":
      return { check: given(task.result, checkNames) };
    case "collect":
      return { collect: given(task.result, collectNames) };
    case "vault_delete":
      return { vault_delete: { fail_count: count(facts["failCount"]), total_count: count(facts["totalCount"]) } };
  }
}

/**
 * A task as CBR v3's operation log shows it. `extra_info.backup.incremental` is left out: no value of it suits every client.
 * Ours are `phase`, `bytes_done`, `bytes_total`, `rate` (bytes, bytes per second) and `seconds_left` (null while nobody can tell) in `common`; the
 * run's bytes, its `change_list` and `warnings` in `backup`; `written_bytes` and, of a damaged backup, the `lost` ranges in `restore`; what a
 * check found in `check`, what a collection did in `collect`.
 */
export function renderTask(task: Task) {
  return {
    id: task.id,
    project_id: task.projectId,
    operation_type: operationOf(task.type),
    status: task.status,
    provider_id: task.providerId,
    vault_id: task.vaultId,
    vault_name: task.vaultName,
    checkpoint_id: task.checkpointId,
    policy_id: task.policyId,
    created_at: naiveUtc(task.createdAt),
    started_at: naiveUtcOrNull(task.startedAt),
    updated_at: naiveUtc(task.updatedAt),
    ended_at: naiveUtcOrNull(task.endedAt),
    error_info: { code: task.errorCode, message: task.errorMessage },
    extra_info: {
      common: {
        progress: taskPercent(task),
        request_id: task.requestId ?? "",
        task_id: task.id,
        phase: taskIsOver(task.status) ? "" : task.progress.phase,
        bytes_done: task.progress.bytesDone,
        bytes_total: task.progress.bytesTotal,
        rate: taskIsOver(task.status) ? 0 : task.progress.rate,
        seconds_left: secondsLeft(task),
      },
      resource: { id: task.resourceId, name: task.resourceName, type: task.resourceType, extra_info: null },
      ...section(task),
    },
  };
}
