import type { Id, ProjectId, TimestampUs } from "./ids.ts";
import type { Schedule } from "./schedule.ts";

export type PolicyOperation = "backup" | "replication";

/** Who manages a policy: the project itself, its organization, or the project after the organization's policy was deleted. */
export type PolicyType = "custom_policy" | "organization_policy_v2" | "organization_policy_removed";

/**
 * How long backups are kept, and what a run does. A count that is null, 0 or -1 does not limit anything; without `maxBackups` and
 * `retentionDurationDays` everything is kept.
 */
export interface OperationDefinition {
  /** Newest automatic backups kept of each resource. */
  maxBackups: number | null;
  /** Days after which a backup goes that is made under this rule. */
  retentionDurationDays: number | null;
  /** Besides `maxBackups`: the newest backup of each of so many days, weeks, months and years that have one. */
  dayBackups: number | null;
  weekBackups: number | null;
  monthBackups: number | null;
  yearBackups: number | null;
  /** Where the days of those begin: `UTC±HH:MM`, or an IANA name. */
  timezone: string | null;
  /** One full backup after so many incremental ones; null or -1 = never. */
  fullBackupInterval: number | null;
  /** Of a replication policy; null = this region, the vault's own project. */
  destinationProjectId: ProjectId | null;
  destinationRegion: string | null;
}

/** When a policy runs. */
export interface PolicySchedule {
  /** Schedule rules as they were given (model/schedule.ts). */
  patterns: string[];
  /** IANA name of the zone that the rules count in; null = UTC. */
  timezone: string | null;
}

/** A rule that runs by itself over the vaults it is applied to. */
export interface Policy {
  id: Id;
  projectId: ProjectId;
  userId: string;
  name: string;
  enabled: boolean;
  operationType: PolicyOperation;
  definition: OperationDefinition;
  schedule: PolicySchedule;
  triggerId: Id;
  policyType: PolicyType;
  /** The organization policy that it was made from; null when that is gone or never was. */
  organizationPolicyId: Id | null;
  /** Rules of every so many days count from this day. */
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}

/** A policy applied to a vault: at most one of each operation. */
export interface VaultPolicy {
  vaultId: Id;
  policyId: Id;
  operationType: PolicyOperation;
  /** Of a replication: where the replicas go. */
  destinationVaultId: Id | null;
  /** When it runs next; null while the policy is disabled. */
  nextDueAt: TimestampUs | null;
  /** A backup of the vault has ended since the last look at what may go. */
  expiryDue: boolean;
}

/** A policy that an organization gives to its projects. */
export interface OrganizationPolicy {
  id: Id;
  domainId: string;
  name: string;
  description: string | null;
  /** Ids of the projects that get it; null = all of the domain, also those to come. */
  scope: ProjectId[] | null;
  operationType: PolicyOperation;
  policyName: string;
  policyEnabled: boolean;
  definition: OperationDefinition;
  schedule: PolicySchedule;
  userId: string;
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}

/** When a policy runs, with the day that its rules count from. */
export const scheduleOf = ({ schedule, createdAt }: Pick<Policy, "schedule" | "createdAt">): Schedule => ({ ...schedule, startedAt: createdAt });

/** Whether a count limits anything. */
export const isSet = (count: number | null): count is number => count !== null && count > 0;
