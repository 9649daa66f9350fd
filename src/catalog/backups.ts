import { sql } from "kysely";
import type { SqlBool } from "kysely";
import { backupTransitions } from "#model/backup.ts";
import type { Backup, BackupStatus } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import { backupPatch, backups } from "./backup-row.ts";
import { childrenOf, keepingViews, viewBackups } from "./backup-view.ts";
import { allOf, between, contains, equals, isOneOf, newestFirst, selectPage } from "./paging.ts";
import type { Condition, Order } from "./paging.ts";
import type { Db } from "./schema.ts";
import { usageByResource } from "./backup-usage.ts";
import { usedBytesOf } from "./vault-usage.ts";
import type { BackupFilter, BackupSortKey, BackupTable } from "./tables.ts";

const sortOrders: Readonly<Record<BackupSortKey, Omit<Order, "direction">>> = {
  created_at: { column: "created_at" },
  updated_at: { column: "updated_at", ifNull: 0 },
  name: { column: "name", ifNull: "" },
  status: { column: "status" },
  protected_at: { column: "protected_at", ifNull: 0 },
  id: { column: "id" },
  size: { column: "resource_size_gib" },
  resource_id: { column: "resource_id" },
};

const statuses = Object.keys(backupTransitions) as BackupStatus[];

export function createBackupTable(db: Db): BackupTable {
  const update = async (inner: Db, id: Id, patch: Partial<Backup>): Promise<void> => {
    const columns = backupPatch(patch);
    if (Object.keys(columns).length > 0) await inner.write.updateTable("backups").set(columns).where("id", "=", id).execute();
  };
  return {
    async insert(backup) {
      const row = { ...backups.toRow(backup), stored_bytes: backup.statistics?.storedBytes ?? 0 };
      await db.write.insertInto("backups").values(row).execute();
    },
    async get(projectId, id) {
      const row = await db.read.selectFrom("backups").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && backups.fromRow(row);
    },
    view: keepingViews(db),
    async list(projectId, filter, page, sort) {
      const orders = sort?.map(({ key, direction }) => ({ ...sortOrders[key], direction })) ?? [];
      const { items, count } = await selectPage<{ id: string }>(db.read, {
        table: "backups",
        visible: visibleTo(projectId, filter),
        filter: [...inVault(projectId, filter), ...conditionsOf(filter)],
        orders: orders.length > 0 ? orders : newestFirst,
        page,
      });
      const views = await viewBackups(
        db,
        items.map(({ id }) => id),
      );
      return { items: views, count };
    },
    update: (id, patch) => update(db, id, patch),
    async isTaken(id) {
      return (await db.read.selectFrom("backups").select("id").where("id", "=", id).executeTakeFirst()) !== undefined;
    },
    async amend(projectId, id, patch) {
      await db.atomically(async (inner) => {
        await update(inner, id, patch);
        const row = { backup_id: id, project_id: projectId };
        await inner.write
          .insertInto("amended_backups")
          .values(row)
          .onConflict((conflict) => conflict.column("backup_id").doNothing())
          .execute();
      });
    },
    async amended(projectId) {
      const rows = await db.read
        .selectFrom("backups")
        .selectAll()
        .where("id", "in", (query) => query.selectFrom("amended_backups").select("backup_id").where("project_id", "=", projectId))
        .orderBy("id")
        .execute();
      return rows.map(backups.fromRow);
    },
    async transition(id, to, patch, from) {
      const before = statuses.filter((status) => backupTransitions[status].includes(to) && (from === undefined || from.includes(status)));
      const result = await db.write
        .updateTable("backups")
        .set({ ...backupPatch(patch), status: to })
        .where("id", "=", id)
        .where("status", "in", before)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async remove(id) {
      await db.write.deleteFrom("backups").where("id", "=", id).execute();
    },
    async moveToVault(resourceId, fromVaultId, toVaultId) {
      const rows = await db.read
        .selectFrom("backups")
        .select(["id", "checkpoint_id"])
        .where("resource_id", "=", resourceId)
        .where("vault_id", "=", fromVaultId)
        .where("parent_id", "is", null)
        .execute();
      for (const { id } of rows) {
        const family = db.write.updateTable("backups").set({ vault_id: toVaultId });
        await family.where("id", "=", id).execute();
        await family.where("parent_id", "=", id).execute();
      }
      return [...new Set(rows.map((row) => row.checkpoint_id))];
    },
    children: (parentId) => childrenOf(db, parentId),
    async ofCheckpoint(checkpointId) {
      const rows = await db.read.selectFrom("backups").selectAll().where("checkpoint_id", "=", checkpointId).orderBy("seq").execute();
      return rows.map(backups.fromRow);
    },
    async newestBase(projectId, resourceId, before) {
      const row = await db.read
        .selectFrom("backups")
        .selectAll()
        .where("resource_id", "=", resourceId)
        .where("project_id", "=", projectId)
        .where("status", "=", "available")
        .where("resource_type", "<>", "OS::Nova::Server")
        .where("image_type", "=", "backup")
        .where("root_key", "is not", null)
        .where("protected_at", "is not", null)
        .$if(before !== undefined, (query) => query.where("protected_at", "<", before!))
        .orderBy("protected_at", "desc")
        .orderBy("id", "desc")
        .limit(1)
        .executeTakeFirst();
      return row && backups.fromRow(row);
    },
    async expired(now, limit) {
      const rows = await db.read
        .selectFrom("backups")
        .selectAll()
        .where("status", "=", "available")
        .where("expired_at", "<=", now)
        .where("parent_id", "is", null)
        .where(sql<boolean>`not (auto_trigger = 1 and exists (
          select 1 from vault_policies vp join policies p on p.id = vp.policy_id
          where vp.vault_id = backups.vault_id and vp.operation_type = 'backup' and p.enabled = 0))`)
        .orderBy("expired_at")
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map(backups.fromRow);
    },
    usageByResource: (projectId, filter, page) => usageByResource(db, projectId, filter, page),
    async countOfResource(resourceId, among) {
      const row = await db.read
        .selectFrom("backups")
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .where("resource_id", "=", resourceId)
        .where("status", "in", [...among])
        .executeTakeFirstOrThrow();
      return row.count;
    },
  };
}

/**
 * What a project may see: its own, what is shared with it, or both. Only top-level backups are shared, so that nothing is asked of `parent_id`
 * beside a share: it would be what the database searches by.
 */
function visibleTo(projectId: ProjectId, filter: BackupFilter): Condition[] {
  const { own = "private", memberStatus, parentId, allProjects } = filter;
  const ofProject =
    !allProjects && isNarrow(filter) ? [sql<SqlBool>`project_id || '' = ${projectId}`] : equals("project_id", allProjects ? undefined : projectId);
  if (memberStatus !== undefined)
    ofProject.push(sql`id in (select backup_id from members where ${allOf([...ofProject, ...equals("status", memberStatus)])})`);
  if (own === "private") return ofProject;
  const received = isReceived(projectId, filter, equals("status", memberStatus ?? "accepted"));
  if (own === "shared") return [received];
  return [sql`((${allOf([...ofProject, ...(parentId === null ? [isTopLevel] : [])])}) or ${received})`];
}

const isTopLevel: Condition = sql`parent_id is null`;

/** Whether the filter names something that has few backups: its index is to be used then, not the project's, which the database would prefer. */
const isNarrow = ({ vaultId, resourceId, checkpointId, parentId, name }: BackupFilter): boolean =>
  [vaultId, resourceId, checkpointId, parentId, name].some((value) => typeof value === "string");

/** A vault holds what was made in it, and what its project received into it. */
function inVault(projectId: ProjectId, filter: BackupFilter): Condition[] {
  const { own = "private", allProjects } = filter;
  const wanted = [...equals("vault_id", filter.vaultId), ...ofVaults(filter, allProjects ? undefined : projectId)];
  if (own === "private" || wanted.length === 0) return wanted;
  const received = isReceived(projectId, filter, wanted);
  return own === "shared" ? [received] : [sql`((${allOf([...equals("project_id", projectId), ...wanted])}) or ${received})`];
}

/** Shared with a project: the backup itself or, where a parent is asked for, the server backup around it. */
function isReceived(projectId: ProjectId, { parentId }: BackupFilter, share: readonly Condition[]): Condition {
  const column = typeof parentId === "string" ? "parent_id" : "id";
  return sql`${sql.ref(column)} in (select backup_id from members where ${allOf([...equals("dest_project_id", projectId), ...share])})`;
}

function conditionsOf(filter: BackupFilter): Condition[] {
  const { parentId, own = "private" } = filter;
  const parent: Condition[] = parentId !== null ? equals("parent_id", parentId) : own === "private" ? [isTopLevel] : [];
  return [
    ...parent,
    ...equals("checkpoint_id", filter.checkpointId),
    ...equals("resource_id", filter.resourceId),
    ...equals("resource_name", filter.resourceName),
    ...equals("resource_az", filter.resourceAz),
    ...equals("name", filter.name),
    ...contains("name", filter.nameContains),
    ...equals("image_type", filter.imageType),
    ...equals("resource_type", filter.resourceType),
    ...isOneOf("status", filter.statuses),
    ...between("created_at", filter.createdFrom, filter.createdTo),
    ...equals("incremental", filter.incremental === undefined ? undefined : Number(filter.incremental)),
  ];
}

/** What a filter asks of the vault, of a backup or of a share. */
function ofVaults({ vaultUsedPercent: percent, enterpriseProjectId }: BackupFilter, projectId: ProjectId | undefined): Condition[] {
  const asked: Condition[] = [
    ...equals("v.enterprise_project_id", enterpriseProjectId),
    ...(percent === undefined ? [] : [sql<SqlBool>`${sql.raw(usedBytesOf("v.id"))} * 100 >= ${percent} * v.size_gib * 1073741824`]),
  ];
  if (asked.length === 0) return [];
  return [sql`vault_id in (select v.id from vaults v where ${allOf([...equals("v.project_id", projectId), ...asked])})`];
}
