import { type Static, Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import type { PolicySchedule } from "#model/policy.ts";
import type { DefinitionInput } from "#services/policies/createPolicy.ts";
import { maybe } from "./schemas.ts";

const count = (maximum: number, description: string) => maybe(Type.Integer({ minimum: -1, maximum, description }));

export const definitionSchema = Type.Object({
  max_backups: count(99_999, "Newest automatic backups kept of each resource; -1 and 0: no limit."),
  retention_duration_days: count(99_999, "Days that backups are kept; -1 and 0: no limit."),
  day_backups: count(100, "Besides max_backups, the newest of each of so many days."),
  week_backups: count(100, "The same for weeks, from Monday."),
  month_backups: count(100, "The same for months."),
  year_backups: count(100, "The same for years."),
  timezone: maybe(Type.String({ maxLength: 64, description: "Where days begin: UTC+08:00; as an extension also the name of a zone." })),
  full_backup_interval: count(100, "One full backup after so many incremental ones; -1: never."),
  destination_project_id: maybe(Type.String({ maxLength: 36 })),
  destination_region: maybe(Type.String({ maxLength: 255, pattern: "^[a-zA-Z0-9._\\-]*$" })),
  enable_acceleration: maybe(Type.Boolean()),
});

export const triggerSchema = Type.Object({
  properties: Type.Object({
    pattern: Type.Array(Type.String({ maxLength: 255 }), { minItems: 1, maxItems: 24 }),
    timezone: maybe(
      Type.String({ maxLength: 64, description: "An extension: the zone that BYHOUR and BYMINUTE are times of, such as Europe/Berlin." }),
    ),
  }),
});

const orNull = <T>(value: T | "" | null | undefined): T | null => (value === "" || value === undefined || value === null ? null : value);

/** Empty texts, which some clients send for absent ones, are absent. @throws DomainError `invalidRequest` for what is not there to be had */
export function readDefinition(given: Static<typeof definitionSchema>, field: string): DefinitionInput {
  if (given.enable_acceleration === true) {
    throw new DomainError("invalidRequest", `${field}.enable_acceleration: invalid key, there is no acceleration`, {
      field: `${field}.enable_acceleration`,
    });
  }
  return {
    maxBackups: orNull(given.max_backups),
    retentionDurationDays: orNull(given.retention_duration_days),
    dayBackups: orNull(given.day_backups),
    weekBackups: orNull(given.week_backups),
    monthBackups: orNull(given.month_backups),
    yearBackups: orNull(given.year_backups),
    timezone: orNull(given.timezone),
    fullBackupInterval: orNull(given.full_backup_interval),
    destinationProjectId: orNull(given.destination_project_id),
    destinationRegion: orNull(given.destination_region),
  };
}

export const readSchedule = ({ properties }: Static<typeof triggerSchema>): PolicySchedule => ({
  patterns: properties.pattern,
  timezone: orNull(properties.timezone),
});
