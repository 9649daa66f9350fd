import type { OperationDefinition, Policy, PolicySchedule, VaultPolicy } from "#model/policy.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import type { PolicyView } from "#services/views.ts";

/** As it was given: Terraform takes a limit that it left out, and gets back, for a change. */
export function renderDefinition(definition: OperationDefinition) {
  const given = {
    max_backups: definition.maxBackups,
    retention_duration_days: definition.retentionDurationDays,
    day_backups: definition.dayBackups,
    week_backups: definition.weekBackups,
    month_backups: definition.monthBackups,
    year_backups: definition.yearBackups,
    timezone: definition.timezone,
    full_backup_interval: definition.fullBackupInterval,
    destination_project_id: definition.destinationProjectId,
    destination_region: definition.destinationRegion,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

/** The rules are the texts that were given. `timezone` is ours, and there only if one was given. */
export function renderTrigger({ schedule, createdAt, triggerId }: { schedule: PolicySchedule; createdAt: number; triggerId: string }) {
  return {
    id: triggerId,
    name: "default",
    type: "time",
    properties: {
      pattern: schedule.patterns,
      start_time: naiveUtc(createdAt).slice(0, 19).replace("T", " "),
      ...(schedule.timezone === null ? {} : { timezone: schedule.timezone }),
    },
  };
}

/** `next_run_at` is ours: when the policy runs next over this vault; null while it is disabled. */
const renderVaultPolicy = (vault: VaultPolicy) => ({
  vault_id: vault.vaultId,
  destination_vault_id: vault.destinationVaultId,
  next_run_at: naiveUtcOrNull(vault.nextDueAt),
});

/** A policy as CBR v3 shows it. */
export function renderPolicy({ policy, vaults }: PolicyView) {
  return { ...head(policy), associated_vaults: vaults.map(renderVaultPolicy) };
}

const head = (policy: Policy) => ({
  id: policy.id,
  name: policy.name,
  enabled: policy.enabled,
  operation_type: policy.operationType,
  operation_definition: renderDefinition(policy.definition),
  trigger: renderTrigger(policy),
  policy_type: policy.policyType,
});
