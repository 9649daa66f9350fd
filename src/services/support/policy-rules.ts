import { DomainError } from "#model/errors.ts";
import { isProjectId } from "#model/ids.ts";
import { isSet } from "#model/policy.ts";
import type { OperationDefinition, PolicyOperation } from "#model/policy.ts";
import { readTimeZone } from "#model/schedule.ts";
import { checkWholeNumber } from "./checks.ts";

/** Most policies of one operation that a project may make. */
export const maxPolicies = 32;

/** What a request says of a rule; absent = null. */
export type DefinitionInput = Partial<OperationDefinition>;

const refused = (field: string, says: string): DomainError => new DomainError("invalidRequest", `${field}: ${says}`, { field });

/** @throws DomainError `policyTypeUnknown` */
export function checkOperation(type: string, field: string): PolicyOperation {
  if (type === "backup" || type === "replication") return type;
  throw new DomainError("policyTypeUnknown", `${field}: must be backup or replication`, { field });
}

/**
 * A rule as it may be: numbers within their limits, days not together with counts, a zone where days begin, and a destination only where
 * something goes there.
 * @throws DomainError `invalidRequest`
 */
export function checkDefinition(input: DefinitionInput, operation: PolicyOperation, field: string): OperationDefinition {
  const count = (value: number | null | undefined, name: string, most: number): number | null =>
    value === undefined || value === null ? null : checkWholeNumber(value, `${field}.${name}`, -1, most);
  const definition: OperationDefinition = {
    maxBackups: count(input.maxBackups, "max_backups", 99_999),
    retentionDurationDays: count(input.retentionDurationDays, "retention_duration_days", 99_999),
    dayBackups: count(input.dayBackups, "day_backups", 100),
    weekBackups: count(input.weekBackups, "week_backups", 100),
    monthBackups: count(input.monthBackups, "month_backups", 100),
    yearBackups: count(input.yearBackups, "year_backups", 100),
    timezone: input.timezone ?? null,
    fullBackupInterval: count(input.fullBackupInterval, "full_backup_interval", 100),
    destinationProjectId: input.destinationProjectId ?? null,
    destinationRegion: input.destinationRegion ?? null,
  };
  const periods = [definition.dayBackups, definition.weekBackups, definition.monthBackups, definition.yearBackups].some(isSet);
  if (isSet(definition.retentionDurationDays) && (periods || isSet(definition.maxBackups))) {
    throw refused(`${field}.retention_duration_days`, "cannot be given together with a number of backups");
  }
  if (periods && definition.timezone === null) throw refused(`${field}.timezone`, "is needed to tell where days begin, such as UTC+08:00");
  if (definition.timezone !== null && readTimeZone(definition.timezone) === undefined) {
    throw refused(`${field}.timezone`, "must be of the form UTC+08:00, or the name of a time zone");
  }
  checkDestination(definition, operation, field);
  return definition;
}

function checkDestination({ destinationProjectId, destinationRegion }: OperationDefinition, operation: PolicyOperation, field: string): void {
  if (operation === "backup") {
    const name = destinationProjectId !== null ? "destination_project_id" : destinationRegion !== null ? "destination_region" : undefined;
    if (name !== undefined) throw refused(`${field}.${name}`, "only a replication policy has a destination");
    return;
  }
  if (destinationRegion !== null && !/^[a-zA-Z0-9._-]{1,255}$/.test(destinationRegion)) {
    throw refused(`${field}.destination_region`, "must be at most 255 letters, digits, dots, underscores or hyphens");
  }
  if (destinationProjectId !== null && !isProjectId(destinationProjectId)) {
    throw refused(`${field}.destination_project_id`, "must be 32 hexadecimal digits");
  }
  if (destinationRegion !== null && destinationProjectId === null)
    throw refused(`${field}.destination_project_id`, "is needed with destination_region");
}
