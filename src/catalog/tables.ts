import type { Backup, BackupStatus } from "#model/backup.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import type { Id, ProjectId, TimestampUs } from "#model/ids.ts";
import type { OrganizationPolicy, Policy, PolicyOperation, VaultPolicy } from "#model/policy.ts";
import type { Member, MemberStatus } from "#model/member.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Resource, ResourceType, Server, Snapshot, Volume, VolumeStatus } from "#model/resource.ts";
import type { Retained } from "#model/retention.ts";
import type { Task, TaskProgress, TaskStatus, TaskType } from "#model/task.ts";
import type { Role } from "#model/caller.ts";
import type { AuditTable } from "./audit-table.ts";
import type { ResourceUsage } from "./backup-usage.ts";
import type { EventTable } from "./event-table.ts";
import type { VaultTable } from "./vault-table.ts";

/** The catalog: the metadata database. Rows in and out are the model's nouns. */
export interface Catalog extends Tables {
  /** Runs `work` in one write transaction; what it throws rolls everything back. Do not wait for anything but the tables inside. */
  transaction<T>(work: (tables: Tables) => Promise<T>): Promise<T>;
  /**
   * Reads everything, beside whatever else runs, and tells what is not as it was written, in sentences; empty when all is. Costs some time for each
   * row: for a check, not for a request.
   */
  damage(): Promise<string[]>;
  /** Another number after every change of who there is and who may do what; also after other transactions. Of this process, which is the only one. */
  identityVersion(): number;
  /** Rises with every row that is written through this catalog. */
  changes(): number;
  close(): Promise<void>;
}

export interface Tables {
  meta: MetaTable;
  identity: IdentityTable;
  resources: ResourceTable;
  snapshots: SnapshotTable;
  vaults: VaultTable;
  checkpoints: CheckpointTable;
  backups: BackupTable;
  members: MemberTable;
  tasks: TaskTable;
  audit: AuditTable;
  policies: PolicyTable;
  organizationPolicies: OrganizationPolicyTable;
  events: EventTable;
  replications: ReplicationTable;
}

/** Facts of this installation, such as the node id. */
export interface MetaTable {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  /** Idempotent. */
  remove(key: string): Promise<void>;
}

export interface Domain {
  id: string;
  name: string;
}
export interface Project {
  id: ProjectId;
  domainId: string;
  name: string;
  description: string;
  enabled: boolean;
}
export interface User {
  id: string;
  domainId: string;
  name: string;
  /** scrypt, in the form that `api/identity/password.ts` writes. */
  passwordHash: string;
  enabled: boolean;
  defaultProjectId: ProjectId | null;
}
export interface AccessKey {
  /** The AK. */
  id: string;
  userId: string;
  /** Project that a request without `X-Project-Id` is for. */
  projectId: ProjectId;
  /** The SK, sealed under the master key: a signature can only be checked with the clear secret. */
  sealedSecret: Uint8Array;
  enabled: boolean;
  /** Of a temporary key. */
  expiresAt: TimestampUs | null;
  /** SHA-256 of the security token that a temporary key must be used with. */
  securityTokenHash: Uint8Array | null;
}

/** What a program logs in with instead of its user's password: some of the user's roles on one project. */
export interface ApplicationCredential {
  id: string;
  userId: string;
  projectId: ProjectId;
  /** One of its user's. */
  name: string;
  description: string;
  roles: Role[];
  /** As a password's. */
  secretHash: string;
  /** null: as long as its user. */
  expiresAt: TimestampUs | null;
  createdAt: TimestampUs;
}

/** One role of one user on one project. */
export interface RoleAssignment {
  userId: string;
  projectId: ProjectId;
  role: Role;
}

export interface IdentityTable {
  insertDomain(domain: Domain): Promise<void>;
  getDomain(id: string): Promise<Domain | undefined>;
  findDomain(name: string): Promise<Domain | undefined>;
  insertProject(project: Project): Promise<void>;
  getProject(id: ProjectId): Promise<Project | undefined>;
  listProjects(filter: { name?: string; domainId?: string; userId?: string }): Promise<Project[]>;
  updateProject(id: ProjectId, patch: Partial<Omit<Project, "id" | "domainId">>): Promise<void>;
  /** With the roles, access keys and application credentials on it; nobody has it as default any more. */
  removeProject(id: ProjectId): Promise<void>;
  insertUser(user: User): Promise<void>;
  getUser(id: string): Promise<User | undefined>;
  findUser(domainId: string, name: string): Promise<User | undefined>;
  listUsers(filter: { name?: string; domainId?: string; enabled?: boolean }): Promise<User[]>;
  updateUser(id: string, patch: Partial<Omit<User, "id" | "domainId" | "passwordHash">>): Promise<void>;
  /** With its roles, access keys and application credentials. */
  removeUser(id: string): Promise<void>;
  setPasswordHash(userId: string, hash: string): Promise<void>;
  grantRole(userId: string, projectId: ProjectId, role: Role): Promise<void>;
  /** Tells whether there was such a role. */
  revokeRole(userId: string, projectId: ProjectId, role: Role): Promise<boolean>;
  listRoles(userId: string, projectId: ProjectId): Promise<Role[]>;
  listAssignments(filter: { userId?: string; projectId?: ProjectId; role?: Role }): Promise<RoleAssignment[]>;
  insertAccessKey(key: AccessKey): Promise<void>;
  getAccessKey(id: string): Promise<AccessKey | undefined>;
  listAccessKeys(filter?: { userId?: string }): Promise<AccessKey[]>;
  setAccessKeyEnabled(id: string, enabled: boolean): Promise<void>;
  removeAccessKey(id: string): Promise<void>;
  insertApplicationCredential(credential: ApplicationCredential): Promise<void>;
  getApplicationCredential(id: string): Promise<ApplicationCredential | undefined>;
  findApplicationCredential(userId: string, name: string): Promise<ApplicationCredential | undefined>;
  listApplicationCredentials(userId: string): Promise<ApplicationCredential[]>;
  removeApplicationCredential(id: string): Promise<void>;
  setSealedSecret(id: string, sealedSecret: Uint8Array): Promise<void>;
  /** Removes temporary keys whose time was over before `now`. */
  removeExpiredAccessKeys(now: TimestampUs): Promise<void>;
  /** `expiresAt` bounds how long the row is kept. */
  revokeToken(tokenId: string, expiresAt: TimestampUs): Promise<void>;
  listRevokedTokens(now: TimestampUs): Promise<string[]>;
}

export interface Page {
  limit: number;
  offset: number;
  /** Id of the last item of the page before; an unknown marker gives an empty page. */
  marker?: Id;
}
export interface Sort<Key extends string> {
  key: Key;
  direction: "asc" | "desc";
}
export interface Listed<T> {
  items: T[];
  /** All matches, not only this page. */
  count: number;
}

export interface ResourceFilter {
  id?: Id;
  /** Disks of this server. */
  serverId?: Id;
  type?: ResourceType;
  name?: string;
  nameContains?: string;
  status?: VolumeStatus | string;
  availabilityZone?: string;
  /** Every project's: for administrators. */
  allProjects?: boolean;
}

export interface ResourceTable {
  insert(resource: Resource): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Resource | undefined>;
  getVolume(projectId: ProjectId, id: Id): Promise<Volume | undefined>;
  getServer(projectId: ProjectId, id: Id): Promise<Server | undefined>;
  /** A volume of whichever project: for what was authorised before. */
  findVolume(id: Id): Promise<Volume | undefined>;
  list(
    projectId: ProjectId,
    filter: ResourceFilter,
    page: Page,
    sort?: Sort<"created_at" | "name" | "status" | "id" | "size">,
  ): Promise<Listed<Resource>>;
  update(id: Id, patch: Partial<Omit<Volume, "id" | "type" | "projectId">> | Partial<Omit<Server, "id" | "type" | "projectId">>): Promise<void>;
  /** Sets the status only if it is one of `from`; tells whether it did. */
  transition(id: Id, from: readonly VolumeStatus[], to: VolumeStatus, now: TimestampUs): Promise<boolean>;
  remove(id: Id): Promise<void>;
  /** Resources of a type that are bound to no vault, the oldest first. */
  unprotected(projectId: ProjectId, type: Resource["type"]): Promise<Resource[]>;
  /** Servers that a volume is a disk of. */
  serversOf(volumeId: Id): Promise<Server[]>;
}

export interface SnapshotTable {
  insert(snapshot: Snapshot): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Snapshot | undefined>;
  list(projectId: ProjectId, filter: { volumeId?: Id; name?: string; status?: string; allProjects?: boolean }, page: Page): Promise<Listed<Snapshot>>;
  update(id: Id, patch: Partial<Snapshot>): Promise<void>;
  remove(id: Id): Promise<void>;
}

export interface CheckpointTable {
  insert(checkpoint: Checkpoint): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Checkpoint | undefined>;
  /** To be called when backups have left the checkpoint or their vault: removes it if it has none, else it is in the vault of its first one. */
  settle(id: Id): Promise<void>;
}

/** A backup with what its renderings need beyond its own row. */
export interface BackupView {
  backup: Backup;
  /** Disk backups inside a server backup, in device order; else empty. */
  children: Backup[];
  /** Some live backup was compared with this one. */
  hasDependents: boolean;
  /** Stored bytes of all live backups of its chain. */
  chainStoredBytes: number;
  enterpriseProjectId: string;
  /** The protected object still exists. */
  resourceExists: boolean;
  /** Copies made of it, and the copying that made it; of a server backup, of the whole. */
  replications: ReplicationRecord[];
}

export interface BackupFilter {
  checkpointId?: Id;
  vaultId?: Id;
  /** null: only top-level backups. Absent: any. */
  parentId?: Id | null;
  resourceId?: Id;
  resourceName?: string;
  resourceAz?: string;
  name?: string;
  nameContains?: string;
  imageType?: string;
  resourceType?: ResourceType;
  statuses?: BackupStatus[];
  createdFrom?: TimestampUs;
  createdTo?: TimestampUs;
  incremental?: boolean;
  /** Of vaults that are used at least this much, percent. */
  vaultUsedPercent?: number;
  /** Of vaults in this enterprise project. */
  enterpriseProjectId?: string;
  /** `private`, the default: the project's own. `shared`: another project's that are shared with it. `all`: both. */
  own?: "private" | "shared" | "all";
  /** Own ones that have a member in this status; of another project's, the status of the share, `accepted` by default. */
  memberStatus?: MemberStatus;
  allProjects?: boolean;
}
export type BackupSortKey = "created_at" | "updated_at" | "name" | "status" | "protected_at" | "id" | "size" | "resource_id";

export interface BackupTable {
  insert(backup: Backup): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Backup | undefined>;
  /** The hot path of the whole service: one look-up, no query building. Of another project: undefined. */
  view(projectId: ProjectId, id: Id): Promise<BackupView | undefined>;
  list(projectId: ProjectId, filter: BackupFilter, page: Page, sort?: Sort<BackupSortKey>[]): Promise<Listed<BackupView>>;
  update(id: Id, patch: Partial<Backup>): Promise<void>;
  /** Whether any project has a backup of this id. */
  isTaken(id: Id): Promise<boolean>;
  /** As `update`, of what the backup's sealed document tells: it is remembered, so that a rebuild can bring it back. */
  amend(projectId: ProjectId, id: Id, patch: Partial<Backup>): Promise<void>;
  /** The project's backups that were amended, as they are now. */
  amended(projectId: ProjectId): Promise<Backup[]>;
  /** Moves to `to` only from a state that may precede it (model/backup.ts) and that is in `from`, if given; tells whether it did. */
  transition(id: Id, to: BackupStatus, patch: Partial<Backup> & { updatedAt: TimestampUs }, from?: readonly BackupStatus[]): Promise<boolean>;
  remove(id: Id): Promise<void>;
  /** Puts the backups of a resource in one vault, and those inside them, into another one. Tells their checkpoints. */
  moveToVault(resourceId: Id, fromVaultId: Id, toVaultId: Id): Promise<Id[]>;
  children(parentId: Id): Promise<Backup[]>;
  ofCheckpoint(checkpointId: Id): Promise<Backup[]>;
  /** The newest available disk backup of a resource with data: what an incremental compares with. Newest by `protectedAt`. */
  newestBase(projectId: ProjectId, resourceId: Id, before?: TimestampUs): Promise<Backup | undefined>;
  /** Available top-level backups whose `expiredAt` has passed; automatic ones stay while the backup policy of their vault is disabled. */
  expired(now: TimestampUs, limit: number): Promise<Backup[]>;
  /** What top-level backups take in the store with their disks, by resource and in order of its id. */
  usageByResource(projectId: ProjectId, filter: { resourceId?: Id; resourceType?: string }, page: Page): Promise<Listed<ResourceUsage>>;
  /** Whether a live backup (any state but gone) of the resource is in one of the states. */
  countOfResource(resourceId: Id, statuses: readonly BackupStatus[]): Promise<number>;
}

export interface MemberFilter {
  destProjectId?: ProjectId;
  status?: MemberStatus;
  vaultId?: Id;
}

export interface MemberTable {
  insert(member: Member): Promise<void>;
  get(backupId: Id, destProjectId: ProjectId): Promise<Member | undefined>;
  list(backupId: Id, filter: MemberFilter, page: Page, sort?: Sort<"created_at" | "updated_at" | "id" | "status">[]): Promise<Listed<Member>>;
  update(id: Id, patch: Partial<Member>): Promise<void>;
  remove(id: Id): Promise<void>;
  /** The accepted share by which a project may read a backup, or a disk backup inside it. */
  accepted(destProjectId: ProjectId, backupId: Id): Promise<Member | undefined>;
  /** The shares of some top-level backups with a project, whatever their status. */
  received(destProjectId: ProjectId, backupIds: readonly Id[]): Promise<Member[]>;
  /** What a receiver keeps in a vault. */
  inVault(vaultId: Id): Promise<Member[]>;
  /** Every share of a project's own backups, oldest first. */
  ofOwner(projectId: ProjectId): Promise<Member[]>;
}

export interface ReplicationTable {
  insert(record: ReplicationRecord): Promise<void>;
  get(id: Id): Promise<ReplicationRecord | undefined>;
  /** Those that made copies of the backup, and the one that made it; oldest first. */
  ofBackup(backupId: Id): Promise<ReplicationRecord[]>;
  /** All with an end in the project. */
  ofProject(projectId: ProjectId): Promise<ReplicationRecord[]>;
  /** Those not over with an end in the vault. */
  openOfVault(vaultId: Id): Promise<ReplicationRecord[]>;
  /** Of these backups of a project of some region those that have a copy here that has not failed: made, or being made. */
  liveCopies(of: { sourceRegion: string; sourceProjectId: ProjectId; destinationProjectId: ProjectId; backupIds: readonly Id[] }): Promise<Id[]>;
  update(id: Id, patch: Partial<ReplicationRecord>): Promise<void>;
  /** The backup is gone: so are the records that no other backup here has an end in. */
  forget(backupId: Id): Promise<void>;
}

export interface TaskFilter {
  type?: TaskType;
  types?: readonly TaskType[];
  status?: TaskStatus;
  providerId?: string;
  resourceId?: Id;
  resourceName?: string;
  vaultId?: Id;
  vaultName?: string;
  /** Of vaults in this enterprise project; those of vaults that are gone match none. */
  enterpriseProjectId?: string;
  createdFrom?: TimestampUs;
  createdTo?: TimestampUs;
  allProjects?: boolean;
}

export interface TaskTable {
  insert(task: Task): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Task | undefined>;
  list(projectId: ProjectId, filter: TaskFilter, page: Page): Promise<Listed<Task>>;
  /**
   * Takes the next waiting task, fairly between projects (the one with the fewest running first, then the oldest), skipping every task whose
   * resource has a running one. A `replication` only waits for another service, so it takes part in neither; copies that arrive
   * (`replica`) wait for those of the same resource, and for nothing else of it. Sets it running with a lease and a new fencing token.
   * `but`: a type that is left waiting.
   */
  claim(claim: { owner: string; now: TimestampUs; leaseUntil: TimestampUs; but?: TaskType }): Promise<Task | undefined>;
  /** Extends the lease and writes the progress; not alive when the token is no longer the newest or the task is over. */
  heartbeat(
    id: Id,
    token: number,
    beat: { now: TimestampUs; leaseUntil: TimestampUs; progress: TaskProgress },
  ): Promise<{ alive: boolean; cancelRequested: boolean }>;
  /** Ends a task; false when the token is no longer the newest. */
  finish(
    id: Id,
    token: number,
    end: {
      status: TaskStatus;
      now: TimestampUs;
      errorCode?: string;
      errorMessage?: string;
      result?: Record<string, unknown>;
      progress?: TaskProgress;
    },
  ): Promise<boolean>;
  /** Ends a task that never ran. */
  finishWaiting(id: Id, end: { status: TaskStatus; now: TimestampUs; errorCode?: string; errorMessage?: string }): Promise<boolean>;
  requestCancel(id: Id, now: TimestampUs): Promise<void>;
  /** Removes at most `limit` tasks that ended before, the longest ended first; those that wait or run never. Tells how many. */
  removeOlder(before: TimestampUs, limit: number): Promise<number>;
  /** Running tasks whose lease has passed. */
  expiredLeases(now: TimestampUs): Promise<Task[]>;
  /** Running tasks of an owner: after a restart, what its earlier life left behind. */
  runningOf(owner: string): Promise<Task[]>;
  /** Back to waiting, for another attempt. */
  requeue(id: Id, token: number, now: TimestampUs): Promise<boolean>;
  /** Waiting or running tasks that touch the vault, resource or backup. */
  openTasks(filter: { vaultId?: Id; resourceId?: Id; backupId?: Id }): Promise<Task[]>;
}

/** A policy with one vault that it is applied to. */
export interface AppliedPolicy {
  application: VaultPolicy;
  policy: Policy;
}

export interface PolicyTable {
  insert(policy: Policy): Promise<void>;
  get(projectId: ProjectId, id: Id): Promise<Policy | undefined>;
  /** Newest first. */
  list(projectId: ProjectId, filter: { operationType?: PolicyOperation; vaultId?: Id }): Promise<Policy[]>;
  /** What was made of an organization policy, in all projects; oldest first. */
  ofOrganization(organizationPolicyId: Id): Promise<Policy[]>;
  update(id: Id, patch: Partial<Policy>): Promise<void>;
  /** Takes it off its vaults too. */
  remove(id: Id): Promise<void>;
  /** Applies a policy to a vault, in place of the one of the same operation that was. */
  apply(application: VaultPolicy): Promise<void>;
  /** Tells whether it was applied. */
  withdraw(vaultId: Id, policyId: Id): Promise<boolean>;
  ofVault(vaultId: Id): Promise<VaultPolicy[]>;
  vaultsOf(policyId: Id): Promise<VaultPolicy[]>;
  /** What has been due at `now`, the longest first. */
  due(now: TimestampUs, limit: number): Promise<AppliedPolicy[]>;
  /** Sets when it runs next, unless that is no longer what it was; of several processes only one is told that it did. */
  advance(application: VaultPolicy, to: TimestampUs): Promise<boolean>;
  /** Of all vaults that it is applied to. */
  setNextDue(policyId: Id, nextDueAt: TimestampUs | null): Promise<void>;
  /** A backup of the vault, or a copy in it, has ended: look at what may go. */
  requestExpiry(vaultId: Id): Promise<void>;
  clearExpiry(application: VaultPolicy): Promise<void>;
  /** Enabled policies, each with one vault: all of them, or those where it was asked for to look at what may go. */
  toExpire(isDue: boolean): Promise<AppliedPolicy[]>;
  /** The automatic backups of a vault that are complete, or that failed; of one for copies, those that came from another vault. */
  retained(vaultId: Id, sourceVaultId?: Id): Promise<Retained[]>;
  /** When the last full backup of a resource in a vault was made, and how many incremental ones since; undefined when nothing is known. */
  sinceFull(vaultId: Id, resourceId: Id): Promise<{ fullAt: TimestampUs; incrementals: number } | undefined>;
  noteBackup(backup: { vaultId: Id; resourceId: Id; incremental: boolean; createdAt: TimestampUs }): Promise<void>;
  /** Counts again from the backups that there are, where nothing is known. */
  recountFull(projectId: ProjectId): Promise<void>;
}

export interface OrganizationPolicyTable {
  insert(policy: OrganizationPolicy): Promise<void>;
  get(domainId: string, id: Id): Promise<OrganizationPolicy | undefined>;
  /** Of one domain, or of all. */
  list(filter: { domainId?: string; operationType?: PolicyOperation }, page: Page): Promise<Listed<OrganizationPolicy>>;
  update(id: Id, patch: Partial<OrganizationPolicy>): Promise<void>;
  remove(id: Id): Promise<void>;
}
