import { sql } from "kysely";
import type { BackupStatus } from "#model/backup.ts";
import type { Vault, VaultMove, VaultResource } from "#model/vault.ts";
import { createCodec } from "./codec.ts";
import { equals, isOneOf, newestFirst, selectPage } from "./paging.ts";
import type { Condition } from "./paging.ts";
import type { Db } from "./schema.ts";
import { usedBytesOf } from "./vault-usage.ts";
import type { ResourceProtection, VaultTable } from "./vault-table.ts";

const vaults = createCodec<Vault>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  name: "plain",
  description: "plain",
  enterpriseProjectId: "plain",
  objectType: "plain",
  protectType: "plain",
  consistentLevel: "plain",
  cloudType: "plain",
  chargingMode: "plain",
  isMultiAz: "flag",
  sizeGib: "plain",
  status: "plain",
  autoBind: "flag",
  autoExpand: "flag",
  smnNotify: "flag",
  threshold: "plain",
  locked: "flag",
  bindRules: "json",
  tags: "json",
  availabilityZone: "plain",
  backupNamePrefix: "plain",
  implicit: "flag",
  createdAt: "plain",
  updatedAt: "plain",
});
const bindings = createCodec<VaultResource>({ vaultId: "plain", resourceId: "plain", type: "plain", excludeVolumes: "json", suspended: "flag" });

const moves = createCodec<VaultMove>({ projectId: "plain", resourceId: "plain", fromVaultId: "plain", toVaultId: "plain", movedAt: "plain" });

export function createVaultTable(db: Db): VaultTable {
  return {
    async insert(vault) {
      await db.write.insertInto("vaults").values(vaults.toRow(vault)).execute();
    },
    async get(projectId, id) {
      const row = await db.read.selectFrom("vaults").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && vaults.fromRow(row);
    },
    async findImplicit(projectId, objectType) {
      const row = await db.read
        .selectFrom("vaults")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("object_type", "=", objectType)
        .where("implicit", "=", 1)
        .executeTakeFirst();
      return row && vaults.fromRow(row);
    },
    async list(projectId, filter, page) {
      const holdsResource: Condition[] =
        filter.resourceIds === undefined
          ? []
          : [sql`id in (select vault_id from vault_resources where ${isOneOf("resource_id", filter.resourceIds)[0]!})`];
      const hasPolicy: Condition[] =
        filter.policyId === undefined ? [] : [sql`id in (select vault_id from vault_policies where policy_id = ${filter.policyId})`];
      const { items, count } = await selectPage<object>(db.read, {
        table: "vaults",
        visible: equals("project_id", projectId),
        filter: [
          ...equals("name", filter.name),
          ...isOneOf("id", filter.ids),
          ...equals("status", filter.status),
          ...equals("cloud_type", filter.cloudType),
          ...equals("protect_type", filter.protectType),
          ...equals("object_type", filter.objectType),
          ...equals("enterprise_project_id", filter.enterpriseProjectId),
          ...holdsResource,
          ...hasPolicy,
        ],
        orders: newestFirst,
        page,
      });
      return { items: items.map(vaults.fromRow), count };
    },
    async autoBinding(projectId, objectType) {
      const rows = await db.read
        .selectFrom("vaults")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("object_type", "=", objectType)
        .where("auto_bind", "=", 1)
        .where("protect_type", "=", "backup")
        .where("status", "=", "available")
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return rows.map(vaults.fromRow);
    },
    async update(id, patch) {
      const columns = vaults.toPatch(patch);
      if (Object.keys(columns).length > 0) await db.write.updateTable("vaults").set(columns).where("id", "=", id).execute();
    },
    async remove(id) {
      await db.write.deleteFrom("vaults").where("id", "=", id).execute();
    },
    async bind(resource) {
      await db.write.insertInto("vault_resources").values(bindings.toRow(resource)).execute();
    },
    async setSuspended(vaultId, resourceId, suspended) {
      await db.write
        .updateTable("vault_resources")
        .set({ suspended: Number(suspended) })
        .where("vault_id", "=", vaultId)
        .where("resource_id", "=", resourceId)
        .execute();
    },
    async unbind(vaultId, resourceId) {
      await db.write.deleteFrom("vault_resources").where("vault_id", "=", vaultId).where("resource_id", "=", resourceId).execute();
    },
    async insertMove(move) {
      await db.write.insertInto("vault_moves").values(moves.toRow(move)).execute();
    },
    async movesOf(projectId) {
      const rows = await db.read.selectFrom("vault_moves").selectAll().where("project_id", "=", projectId).orderBy("seq").execute();
      return rows.map(moves.fromRow);
    },
    async resourcesOf(vaultId) {
      const rows = await db.hot("select * from vault_resources where vault_id = ? order by seq", [vaultId]);
      return rows.map(bindings.fromRow);
    },
    async vaultOf(resourceId) {
      const row = await db.read.selectFrom("vault_resources").selectAll().where("resource_id", "=", resourceId).executeTakeFirst();
      return row && bindings.fromRow(row);
    },
    async usage(vaultId) {
      const [row] = await db.hot(usageText, [vaultId, vaultId, vaultId]);
      return { allocatedGib: row!.allocated_gib as number, usedBytes: row!.used_bytes as number };
    },
    async summary(projectId) {
      const [row] = await db.hot(summaryText, [projectId, projectId]);
      return { sizeGib: row!.size_gib as number, usedBytes: row!.used_bytes as number };
    },
    async protectionOf({ id, projectId }, resourceId) {
      const [row] = await db.hot(protectionText, [resourceId, id, projectId]);
      return decodeProtection(row!);
    },
  };
}

const usageText = `
  select
    (select cast(coalesce(sum(r.size_gib), 0) as bigint) from vault_resources vr join resources r on r.id = vr.resource_id where vr.vault_id = ?)
      as allocated_gib,
    cast(${usedBytesOf("?")} as bigint) as used_bytes`;

const summaryText = `
  select
    (select cast(coalesce(sum(size_gib), 0) as bigint) from vaults where project_id = ?) as size_gib,
    (select cast(coalesce(sum(${usedBytesOf("v.id")}), 0) as bigint) from vaults v where v.project_id = ?) as used_bytes`;

/** By index look-ups only: a vault asks this of each of its resources. */
const protectionText = `
  select r.name, r.size_gib,
    case when r.status in ('backing-up', 'restoring-backup')
      or exists (select 1 from tasks t where t.resource_id = x.id and t.status in ('waiting', 'running'))
      or exists (select 1 from server_disks d join resources v on v.id = d.volume_id
        where d.server_id = x.id and v.status in ('backing-up', 'restoring-backup'))
      then 1 else 0 end as may_be_busy,
    (select b.status from backups b where b.resource_id = x.id and b.vault_id = x.vault_id and b.parent_id is null
      order by b.created_at desc, b.id desc limit 1) as newest_status,
    (select count(*) from backups b where b.resource_id = x.id and b.vault_id = x.vault_id and b.parent_id is null) as backup_count,
    cast(
      (select coalesce(sum(b.stored_bytes), 0) from backups b
        where b.resource_id = x.id and b.vault_id = x.vault_id and b.parent_id is null and b.resource_type <> 'OS::Nova::Server')
      + (select coalesce(sum(c.stored_bytes), 0) from backups p join backups c on c.parent_id = p.id
        where p.resource_id = x.id and p.vault_id = x.vault_id and p.parent_id is null)
      as bigint) as stored_bytes
  from (select ? as id, ? as vault_id, ? as project_id) x left join resources r on r.id = x.id and r.project_id = x.project_id`;

const decodeProtection = (row: Record<string, unknown>): ResourceProtection => ({
  resource: row.name === null ? null : { name: row.name as string, sizeGib: row.size_gib as number },
  mayBeBusy: row.may_be_busy === 1,
  newestStatus: row.newest_status as BackupStatus | null,
  backupCount: row.backup_count as number,
  storedBytes: row.stored_bytes as number,
});
