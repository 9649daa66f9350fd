import { sql } from "kysely";
import type { Policy, VaultPolicy } from "#model/policy.ts";
import { createCodec } from "./codec.ts";
import { allOf, equals } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { PolicyTable } from "./tables.ts";

const policies = createCodec<Policy>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  name: "plain",
  enabled: "flag",
  operationType: "plain",
  definition: "json",
  schedule: "json",
  triggerId: "plain",
  policyType: "plain",
  organizationPolicyId: "plain",
  createdAt: "plain",
  updatedAt: "plain",
});
const applications = createCodec<VaultPolicy>({
  vaultId: "plain",
  policyId: "plain",
  operationType: "plain",
  destinationVaultId: "plain",
  nextDueAt: "plain",
  expiryDue: "flag",
});

export function createPolicyTable(db: Db): PolicyTable {
  return {
    async insert(policy) {
      await db.write.insertInto("policies").values(policies.toRow(policy)).execute();
    },
    async get(projectId, id) {
      const row = await db.read.selectFrom("policies").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && policies.fromRow(row);
    },
    async list(projectId, filter) {
      const ofVault =
        filter.vaultId === undefined ? [] : [sql<boolean>`id in (select policy_id from vault_policies where vault_id = ${filter.vaultId})`];
      const rows = await db.read
        .selectFrom("policies")
        .selectAll()
        .where(allOf([...equals("project_id", projectId), ...equals("operation_type", filter.operationType), ...ofVault]))
        .orderBy("created_at", "desc")
        .orderBy("id", "desc")
        .execute();
      return rows.map(policies.fromRow);
    },
    async ofOrganization(organizationPolicyId) {
      const rows = await db.read
        .selectFrom("policies")
        .selectAll()
        .where("organization_policy_id", "=", organizationPolicyId)
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return rows.map(policies.fromRow);
    },
    async update(id, patch) {
      const columns = policies.toPatch(patch);
      if (Object.keys(columns).length > 0) await db.write.updateTable("policies").set(columns).where("id", "=", id).execute();
    },
    async remove(id) {
      await db.write.deleteFrom("policies").where("id", "=", id).execute();
    },
    async apply(application) {
      const row = applications.toRow(application);
      await db.write
        .insertInto("vault_policies")
        .values(row)
        .onConflict((conflict) => conflict.columns(["vault_id", "operation_type"]).doUpdateSet(row))
        .execute();
    },
    async withdraw(vaultId, policyId) {
      const result = await db.write.deleteFrom("vault_policies").where("vault_id", "=", vaultId).where("policy_id", "=", policyId).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
    async ofVault(vaultId) {
      const rows = await db.read.selectFrom("vault_policies").selectAll().where("vault_id", "=", vaultId).orderBy("operation_type").execute();
      return rows.map(applications.fromRow);
    },
    async vaultsOf(policyId) {
      const rows = await db.read.selectFrom("vault_policies").selectAll().where("policy_id", "=", policyId).orderBy("vault_id").execute();
      return rows.map(applications.fromRow);
    },
    async due(now, limit) {
      const rows = await db.read
        .selectFrom("vault_policies")
        .selectAll()
        .where("next_due_at", "<=", now)
        .orderBy("next_due_at")
        .orderBy("vault_id")
        .limit(limit)
        .execute();
      return joined(db, rows.map(applications.fromRow));
    },
    async advance({ vaultId, policyId, nextDueAt }, to) {
      const result = await db.write
        .updateTable("vault_policies")
        .set({ next_due_at: to })
        .where("vault_id", "=", vaultId)
        .where("policy_id", "=", policyId)
        .where("next_due_at", "=", nextDueAt)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async setNextDue(policyId, nextDueAt) {
      await db.write.updateTable("vault_policies").set({ next_due_at: nextDueAt }).where("policy_id", "=", policyId).execute();
    },
    async requestExpiry(vaultId) {
      await db.write
        .updateTable("vault_policies")
        .set({ expiry_due: 1 })
        .where("expiry_due", "=", 0)
        .where(sql<boolean>`((vault_id = ${vaultId} and operation_type = 'backup') or destination_vault_id = ${vaultId})`)
        .execute();
    },
    async clearExpiry({ vaultId, policyId }) {
      await db.write.updateTable("vault_policies").set({ expiry_due: 0 }).where("vault_id", "=", vaultId).where("policy_id", "=", policyId).execute();
    },
    async toExpire(isDue) {
      const rows = await db.read
        .selectFrom("vault_policies")
        .selectAll()
        .$if(isDue, (query) => query.where("expiry_due", "=", 1))
        .orderBy("vault_id")
        .execute();
      return (await joined(db, rows.map(applications.fromRow))).filter(({ policy }) => policy.enabled);
    },
    async retained(vaultId, sourceVaultId) {
      const rows = await db.read
        .selectFrom("backups")
        .select(["id", "resource_id", "created_at", "status"])
        .where("vault_id", "=", vaultId)
        .where("auto_trigger", "=", 1)
        .where("parent_id", "is", null)
        .$if(sourceVaultId !== undefined, (query) =>
          query.where(sql<boolean>`id in (select destination_backup_id from replication_records where source_vault_id = ${sourceVaultId!})`),
        )
        // A failed deletion leaves an error that has statistics: that one is for a person to look at.
        .where(sql<boolean>`(status in ('available', 'waiting_restore', 'restoring') or (status = 'error' and statistics is null))`)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        resourceId: row.resource_id,
        state: row.status === "error" ? ("failed" as const) : ("complete" as const),
        createdAt: row.created_at,
      }));
    },
    async sinceFull(vaultId, resourceId) {
      const row = await db.read
        .selectFrom("full_backups")
        .select(["full_at", "incrementals"])
        .where("vault_id", "=", vaultId)
        .where("resource_id", "=", resourceId)
        .executeTakeFirst();
      return row && { fullAt: row.full_at, incrementals: row.incrementals };
    },
    async noteBackup({ vaultId, resourceId, incremental, createdAt }) {
      await db.write
        .insertInto("full_backups")
        .values({ vault_id: vaultId, resource_id: resourceId, full_at: createdAt, incrementals: Number(incremental) })
        .onConflict((conflict) =>
          conflict
            .columns(["vault_id", "resource_id"])
            .doUpdateSet(incremental ? { incrementals: sql`full_backups.incrementals + 1` } : { full_at: createdAt, incrementals: 0 }),
        )
        .execute();
    },
    async recountFull(projectId) {
      const counted = sql`b.parent_id is null and b.status = 'available' and b.vault_id = f.vault_id and b.resource_id = f.resource_id`;
      await sql`
        insert into full_backups (vault_id, resource_id, full_at, incrementals)
        select f.vault_id, f.resource_id, f.full_at,
          (select count(*) from backups b where ${counted} and b.incremental = 1 and b.created_at > f.full_at)
        from (select vault_id, resource_id, max(created_at) as full_at from backups
          where project_id = ${projectId} and parent_id is null and status = 'available' and incremental = 0
          group by vault_id, resource_id) f
        where true on conflict (vault_id, resource_id) do nothing`.execute(db.write);
    },
  };
}

async function joined(db: Db, found: readonly VaultPolicy[]): Promise<{ application: VaultPolicy; policy: Policy }[]> {
  if (found.length === 0) return [];
  const ids = [...new Set(found.map(({ policyId }) => policyId))];
  const rows = await db.read.selectFrom("policies").selectAll().where("id", "in", ids).execute();
  const byId = new Map(rows.map((row) => [row.id, policies.fromRow(row)]));
  // A policy that was removed between the two queries took its applications with it.
  return found.flatMap((application) => {
    const policy = byId.get(application.policyId);
    return policy === undefined ? [] : [{ application, policy }];
  });
}
