/** What the client commands read of the service's answers: only these fields, all else is passed through to `--json`. */

export interface WireVolume {
  id: string;
  name: string | null;
  size: number;
  status: string;
  volume_type: string | null;
  bootable: string;
  created_at: string;
}

export interface WireVault {
  id: string;
  name: string;
  billing: { size: number; used: number; allocated: number; status: string; object_type: string };
  resources: { id: string; name: string; type: string; size: number; protect_status: string }[];
  created_at: string;
}

export interface WireDefinition {
  max_backups?: number;
  retention_duration_days?: number;
  day_backups?: number;
  week_backups?: number;
  month_backups?: number;
  year_backups?: number;
  timezone?: string;
  full_backup_interval?: number;
  destination_region?: string;
  destination_project_id?: string;
}

export interface WirePolicy {
  id: string;
  name: string;
  enabled: boolean;
  operation_type: string;
  operation_definition: WireDefinition;
  trigger: { properties: { pattern: string[]; timezone?: string } };
  associated_vaults: { vault_id: string; destination_vault_id: string | null; next_run_at: string | null }[];
}

export interface WireBackup {
  id: string;
  name: string | null;
  status: string;
  vault_id: string;
  checkpoint_id: string;
  resource_id: string;
  resource_name: string;
  resource_type: string;
  resource_size: number;
  created_at: string;
  children: WireBackup[];
  replication_records: WireCopy[];
  extend_info: { incremental: boolean; snapshot_id: string | null; [more: string]: unknown };
}

/** One copying of a backup. */
export interface WireCopy {
  id: string;
  status: string;
  source_region: string;
  source_backup_id: string;
  destination_region: string;
  destination_backup_id: string | null;
  extra_info: { progress: number; fail_code: string; fail_reason: string };
}

/** A project that a backup is shared with. */
export interface WireMember {
  dest_project_id: string;
  status: string;
  vault_id: string | null;
  created_at: string;
}

/** A disk backup that has lost something. */
export interface WireDamage {
  backup_id: string;
  size_bytes: number | null;
  lost_bytes: number | null;
  reason: string | null;
  range_count: number;
  ranges: { offset: number; length: number; reason: string }[];
}

/** What a check found; absent until it has ended. */
export interface WireCheck {
  backups?: number;
  packs?: number;
  packs_read?: number;
  bytes_read?: number;
  finding_count?: number;
  findings?: { object: string; reason: string; repaired: boolean }[];
  damaged_records?: number;
  healed_records?: number;
  damaged_backups?: WireDamage[];
}

export interface WireTask {
  id: string;
  operation_type: string;
  status: string;
  vault_name: string | null;
  checkpoint_id: string | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  error_info: { code: string; message: string };
  extra_info: {
    common: { progress: number; phase?: string; bytes_done?: number; bytes_total?: number | null; rate?: number };
    resource: { id: string | null; name: string | null; type: string | null };
    backup?: { backup_id: string | null; backup_name: string | null };
    restore?: {
      backup_id: string | null;
      target_resource_id: string | null;
      lost?: { backup_id: string; ranges: { offset: number; length: number; reason: string }[] }[];
    };
    check?: WireCheck;
    collect?: { condemned?: number; condemned_bytes?: number; compacted?: number; deleted?: number; freed_bytes?: number; purged?: number };
    delete?: { backup_id: string | null };
  };
}

export const taskIsOver = (task: WireTask): boolean => task.status !== "waiting" && task.status !== "running";
