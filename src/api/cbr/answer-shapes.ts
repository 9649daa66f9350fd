import { Type, type TSchema } from "@sinclair/typebox";
import { nullable } from "./schemas.ts";

/*
 * The shapes of what CBR v3 answers: what `render-*.ts` makes, told once more as schemas. They are described in /openapi.json, and tests hold
 * every answer that they see against them; at run time nothing is checked.
 */

const text = Type.String();
const textOrNull = nullable(text);
const flag = Type.Boolean();
const number = Type.Integer({ minimum: 0 });
const id = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" });
const idOrNull = nullable(id);
/** Naive UTC with six digits. */
const time = Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{6}$" });
const timeOrNull = nullable(time);
const oneOf = (...words: string[]): TSchema => Type.Union(words.map((word) => Type.Literal(word)));

export const common = { text, textOrNull, flag, number, id, idOrNull, time, timeOrNull, oneOf };

const resourceType = oneOf("OS::Nova::Server", "OS::Cinder::Volume", "OS::Sfs::Turbo");
const protectStatus = oneOf("available", "error", "protecting", "restoring", "removing");
const providerId = oneOf("0daac4c5-6707-4851-97ba-169e36266b66", "d1603440-187d-4516-af25-121250c7cc97", "3f3c3220-245c-4805-b811-758870015881");

/** A page of a list: one array beside the count of all matches. */
export const listOf = (key: string, item: TSchema): TSchema =>
  Type.Object({ [key]: Type.Array(item), count: number, limit: Type.Integer({ minimum: 1 }), offset: number });

export const tag = Type.Object({ key: text, value: textOrNull });

const billing = Type.Object({
  allocated: number,
  used: number,
  size: Type.Integer({ minimum: 1 }),
  status: oneOf("available", "lock", "frozen", "deleting", "error"),
  object_type: oneOf("server", "disk", "turbo"),
  protect_type: oneOf("backup", "replication"),
  cloud_type: oneOf("public", "hybrid"),
  consistent_level: oneOf("crash_consistent", "app_consistent"),
  charging_mode: oneOf("post_paid", "pre_paid"),
  spec_code: text,
  is_multi_az: flag,
  order_id: textOrNull,
  product_id: textOrNull,
  storage_unit: textOrNull,
  frozen_scene: textOrNull,
});

const vaultResource = Type.Object({
  id,
  name: text,
  type: resourceType,
  size: number,
  protect_status: protectStatus,
  backup_size: number,
  backup_count: number,
  suspended: Type.Optional(flag),
  extra_info: Type.Object({ exclude_volumes: Type.Optional(Type.Array(id)) }),
});

export const vault = Type.Object({
  id,
  name: text,
  description: textOrNull,
  provider_id: providerId,
  project_id: text,
  enterprise_project_id: text,
  user_id: text,
  created_at: time,
  availability_zone: textOrNull,
  backup_name_prefix: textOrNull,
  auto_bind: flag,
  auto_expand: flag,
  bind_rules: Type.Object({ tags: Type.Optional(Type.Array(tag)) }),
  smn_notify: flag,
  threshold: Type.Integer({ minimum: 1, maximum: 100 }),
  locked: flag,
  sys_lock_source_service: text,
  tags: Type.Array(tag),
  billing,
  resources: Type.Array(vaultResource),
});

const extendInfo = Type.Object({
  auto_trigger: flag,
  bootable: nullable(flag),
  system_disk: flag,
  contain_system_disk: nullable(flag),
  encrypted: nullable(flag),
  incremental: flag,
  snapshot_id: idOrNull,
  support_lld: nullable(flag),
  supported_restore_mode: nullable(oneOf("na", "backup", "snapshot")),
  os_images_data: Type.Array(Type.Object({ image_id: text })),
  is_multi_az: flag,
  app_consistency: Type.Null(),
  architecture: textOrNull,
  progress: nullable(Type.Integer({ minimum: 0, maximum: 100 })),
});

const replicationRecord = Type.Object({
  id,
  status: oneOf("waiting_replicate", "replicating", "success", "fail", "skip"),
  created_at: time,
  vault_id: idOrNull,
  source_project_id: text,
  source_region: text,
  source_backup_id: idOrNull,
  source_checkpoint_id: idOrNull,
  destination_project_id: text,
  destination_region: text,
  destination_vault_id: idOrNull,
  destination_backup_id: idOrNull,
  destination_checkpoint_id: idOrNull,
  extra_info: Type.Object({
    progress: Type.Integer({ minimum: 0, maximum: 100 }),
    auto_trigger: flag,
    destination_vault_id: idOrNull,
    destinatio_vault_id: idOrNull,
    fail_code: text,
    fail_reason: text,
  }),
});

const backupKeys = {
  id,
  name: text,
  description: textOrNull,
  status: oneOf("waiting_protect", "protecting", "available", "waiting_restore", "restoring", "waiting_delete", "deleting", "error"),
  image_type: oneOf("backup", "replication"),
  version: Type.Integer(),
  incremental: flag,
  resource_id: text,
  resource_name: text,
  resource_type: resourceType,
  resource_size: number,
  resource_az: textOrNull,
  provider_id: providerId,
  project_id: text,
  enterprise_project_id: text,
  vault_id: text,
  checkpoint_id: text,
  parent_id: textOrNull,
  created_at: time,
  updated_at: timeOrNull,
  protected_at: timeOrNull,
  expired_at: timeOrNull,
  replication_records: Type.Array(replicationRecord),
  extend_info: extendInfo,
};
/** A backup; the disks inside a server backup have the same keys and no children of their own. */
export const backup = Type.Object({
  ...backupKeys,
  children: Type.Array(Type.Object({ ...backupKeys, children: Type.Array(Type.Unknown(), { maxItems: 0 }) })),
});

/** Figures are texts: typed clients decode nothing else. */
const digits = Type.String({ pattern: "^\\d+$" });
export const checkpoint = Type.Object({
  id,
  project_id: text,
  status: oneOf("available", "deleting", "protecting", "deleted", "error-deleting", "error"),
  created_at: time,
  extra_info: Type.Object({ name: text, description: text, retention_duration: Type.Integer({ minimum: -1 }) }),
  vault: Type.Object({
    id,
    name: text,
    provider_id: providerId,
    resources: Type.Array(
      Type.Object({
        id: text,
        name: text,
        type: resourceType,
        protect_status: protectStatus,
        resource_size: digits,
        backup_size: digits,
        backup_count: digits,
        extra_info: text,
      }),
    ),
    skipped_resources: Type.Array(Type.Object({ id: text, type: resourceType, name: text, code: text, reason: text })),
  }),
});

const figures = Type.Record(Type.String(), Type.Unknown(), { description: "Figures of the run; see docs/compatibility/cbr.md" });
const namedBackup = { backup_id: idOrNull, backup_name: textOrNull };
export const task = Type.Object({
  id,
  project_id: text,
  operation_type: text,
  status: oneOf("waiting", "running", "success", "failed", "skipped", "timeout"),
  provider_id: textOrNull,
  vault_id: idOrNull,
  vault_name: textOrNull,
  checkpoint_id: idOrNull,
  policy_id: idOrNull,
  created_at: time,
  started_at: timeOrNull,
  updated_at: time,
  ended_at: timeOrNull,
  error_info: Type.Object({ code: text, message: text }),
  extra_info: Type.Object({
    common: Type.Object({
      progress: Type.Integer({ minimum: 0, maximum: 100 }),
      request_id: text,
      task_id: id,
      phase: text,
      bytes_done: number,
      bytes_total: nullable(number),
      rate: Type.Number({ minimum: 0 }),
      seconds_left: nullable(number),
    }),
    resource: Type.Object({ id: textOrNull, name: textOrNull, type: textOrNull, extra_info: Type.Null() }),
    backup: Type.Optional(
      Type.Object(
        { ...namedBackup, app_consistency_status: text, app_consistency_error_code: text, app_consistency_error_message: text },
        { additionalProperties: true },
      ),
    ),
    restore: Type.Optional(
      Type.Object({ ...namedBackup, target_resource_id: textOrNull, target_resource_name: textOrNull }, { additionalProperties: true }),
    ),
    delete: Type.Optional(Type.Object(namedBackup)),
    replication: Type.Optional(figures),
    sync: Type.Optional(figures),
    remove_resources: Type.Optional(Type.Object({ fail_count: number, total_count: number, resources: Type.Array(figures) })),
    vault_delete: Type.Optional(Type.Object({ fail_count: number, total_count: number })),
    check: Type.Optional(figures),
    collect: Type.Optional(figures),
  }),
});

export const member = Type.Object({
  id,
  backup_id: id,
  dest_project_id: text,
  status: oneOf("pending", "accepted", "rejected"),
  vault_id: idOrNull,
  image_id: textOrNull,
  created_at: time,
  updated_at: timeOrNull,
});

const thing = { id, name: text, type: resourceType, size: number, status: text };
const described = Type.Record(Type.String(), Type.Unknown(), { description: "The resource in the words of Block Storage or of a compute service" });
export const protectable = Type.Object({
  ...thing,
  children: Type.Array(Type.Object({ ...thing, children: Type.Array(Type.Unknown(), { maxItems: 0 }), detail: described })),
  detail: described,
  protectable: Type.Object({ result: flag, code: text, reason: text, message: Type.Optional(text), vault: nullable(vault) }),
});

const limit = Type.Integer({ minimum: -1 });
const definition = Type.Object({
  max_backups: Type.Optional(limit),
  retention_duration_days: Type.Optional(limit),
  day_backups: Type.Optional(limit),
  week_backups: Type.Optional(limit),
  month_backups: Type.Optional(limit),
  year_backups: Type.Optional(limit),
  timezone: Type.Optional(text),
  full_backup_interval: Type.Optional(limit),
  destination_project_id: Type.Optional(text),
  destination_region: Type.Optional(text),
});

const trigger = Type.Object({
  id,
  name: Type.Literal("default"),
  type: Type.Literal("time"),
  properties: Type.Object({
    pattern: Type.Array(text, { minItems: 1, maxItems: 24 }),
    start_time: Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}$" }),
    timezone: Type.Optional(text),
  }),
});

export const policy = Type.Object({
  id,
  name: text,
  enabled: flag,
  operation_type: oneOf("backup", "replication"),
  operation_definition: definition,
  trigger,
  associated_vaults: Type.Array(Type.Object({ vault_id: id, destination_vault_id: idOrNull, next_run_at: timeOrNull })),
  policy_type: oneOf("custom_policy", "organization_policy_v2", "organization_policy_removed"),
});

export const organizationPolicy = Type.Object({
  id,
  name: text,
  description: textOrNull,
  domain_id: text,
  domain_name: text,
  effective_scope: text,
  operation_type: oneOf("backup", "replication"),
  policy_name: text,
  policy_enabled: flag,
  policy_operation_definition: definition,
  policy_trigger: trigger,
  status: oneOf("available", "syncing"),
});
