import type { Domain, Page, Project, Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import type { Webhook } from "#model/event.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Member } from "#model/member.ts";
import { replicationIsOver } from "#model/replication.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { OrganizationPolicy, Policy, VaultPolicy } from "#model/policy.ts";
import type { Resource, Snapshot } from "#model/resource.ts";
import type { Vault, VaultMove, VaultResource } from "#model/vault.ts";

/** What the catalog knows of a project that no root object tells, or that may have changed since. Sealed into the store whenever it changes. */
export interface ProjectState {
  format: 1;
  domain: Domain;
  project: Project;
  vaults: Vault[];
  /** In the order of binding within each vault. */
  bindings: VaultResource[];
  /** How resources have gone from vault to vault with their backups, in order: a root object tells only where its backup was made. */
  moves: VaultMove[];
  resources: Resource[];
  snapshots: Snapshot[];
  policies: Policy[];
  /** Where they are applied, and when they are due. */
  vaultPolicies: VaultPolicy[];
  /** Those of the project's domain. */
  organizationPolicies: OrganizationPolicy[];
  /** Backups that ended in error, and so have no root object; the newest {@link failedKept} of them. */
  failed: Backup[];
  /** Every copying with an end in the project. */
  replications: ReplicationRecord[];
  /** Restore points of those. */
  checkpoints: Checkpoint[];
  /** What has changed of backups since they were sealed; absent in older states. */
  amended?: Amendment[];
  /** With whom the project shares its backups. */
  members: Member[];
  /** Where events are sent; secrets stay sealed under the master key, here in base64. Absent in older states. */
  webhooks?: KeptWebhook[];
}

type KeptWebhook = Omit<Webhook, "sealedSecret"> & { sealedSecret: string };

/** What may change of a backup after its root object was sealed. */
export type Amendment = Pick<Backup, "id" | "name" | "vaultId" | "updatedAt"> & Partial<Pick<Backup, "description" | "metadata">>;

export const failedKept = 1000;

async function all<T>(list: (page: Page) => Promise<{ items: T[]; count: number }>): Promise<T[]> {
  const found: T[] = [];
  for (;;) {
    const { items, count } = await list({ limit: 1000, offset: found.length });
    found.push(...items);
    if (items.length === 0 || found.length >= count) return found;
  }
}

/** How far a copying is changes twice a second, and is worth nothing to a rebuild. */
const withoutProgress = (record: ReplicationRecord): ReplicationRecord =>
  replicationIsOver(record.status) ? record : { ...record, progress: 0, updatedAt: record.createdAt };

/** The state of a project as the catalog has it now; undefined when there is no such project. */
export async function projectState(tables: Tables, projectId: ProjectId): Promise<ProjectState | undefined> {
  const project = await tables.identity.getProject(projectId);
  const domain = project && (await tables.identity.getDomain(project.domainId));
  if (project === undefined || domain === undefined) return undefined;
  const vaults = await all((page) => tables.vaults.list(projectId, {}, page));
  const bindings: VaultResource[] = [];
  const vaultPolicies: VaultPolicy[] = [];
  for (const vault of vaults) {
    bindings.push(...(await tables.vaults.resourcesOf(vault.id)));
    vaultPolicies.push(...(await tables.policies.ofVault(vault.id)));
  }
  const { items } = await tables.backups.list(projectId, { statuses: ["error"] }, { limit: failedKept, offset: 0 });
  const failed = items.map(({ backup }) => backup);
  const checkpoints = new Map<Id, Checkpoint>();
  for (const { checkpointId } of failed) {
    const checkpoint = checkpoints.has(checkpointId) ? undefined : await tables.checkpoints.get(projectId, checkpointId);
    if (checkpoint !== undefined) checkpoints.set(checkpointId, checkpoint);
  }
  return {
    format: 1,
    domain,
    project,
    vaults,
    bindings,
    moves: await tables.vaults.movesOf(projectId),
    resources: await all((page) => tables.resources.list(projectId, {}, page)),
    snapshots: await all((page) => tables.snapshots.list(projectId, {}, page)),
    policies: await tables.policies.list(projectId, {}),
    vaultPolicies,
    organizationPolicies: await all((page) => tables.organizationPolicies.list({ domainId: domain.id }, page)),
    failed,
    replications: (await tables.replications.ofProject(projectId)).map(withoutProgress),
    checkpoints: [...checkpoints.values()],
    amended: (await tables.backups.amended(projectId)).map(({ id, name, description, metadata, vaultId, updatedAt }) => ({
      id,
      name,
      description,
      metadata,
      vaultId,
      updatedAt,
    })),
    members: await tables.members.ofOwner(projectId),
    webhooks: (await tables.events.listWebhooks(projectId)).map((webhook) => ({
      ...webhook,
      sealedSecret: Buffer.from(webhook.sealedSecret).toString("base64"),
    })),
  };
}
