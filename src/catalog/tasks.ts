import { sql } from "kysely";
import type { Task } from "#model/task.ts";
import { createCodec } from "./codec.ts";
import { between, equals, isOneOf, newestFirst, selectPage } from "./paging.ts";
import type { Condition } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { TaskTable } from "./tables.ts";

const tasks = createCodec<Task>({
  id: "plain",
  projectId: "plain",
  type: "plain",
  status: "plain",
  vaultId: "plain",
  vaultName: "plain",
  checkpointId: "plain",
  policyId: "plain",
  providerId: "plain",
  backupId: "plain",
  backupName: "plain",
  resourceId: "plain",
  resourceName: "plain",
  resourceType: "plain",
  input: "json",
  result: "json",
  progress: "json",
  requestId: "plain",
  errorCode: "plain",
  errorMessage: "plain",
  cancelRequested: "flag",
  fencingToken: "plain",
  leaseOwner: "plain",
  leaseExpiresAt: "plain",
  createdAt: "plain",
  startedAt: "plain",
  updatedAt: "plain",
  endedAt: "plain",
});

const inEnterpriseProject = (id: string | undefined): Condition[] =>
  id === undefined ? [] : [sql`vault_id in (select v.id from vaults v where v.enterprise_project_id = ${id})`];

export function createTaskTable(db: Db): TaskTable {
  return {
    async insert(task) {
      await db.write.insertInto("tasks").values(tasks.toRow(task)).execute();
    },
    async get(projectId, id) {
      const row = await db.read.selectFrom("tasks").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && tasks.fromRow(row);
    },
    async list(projectId, filter, page) {
      const { items, count } = await selectPage<object>(db.read, {
        table: "tasks",
        visible: equals("project_id", filter.allProjects ? undefined : projectId),
        filter: [
          ...equals("type", filter.type),
          ...isOneOf("type", filter.types),
          ...equals("status", filter.status),
          ...equals("provider_id", filter.providerId),
          ...equals("resource_id", filter.resourceId),
          ...equals("resource_name", filter.resourceName),
          ...equals("vault_id", filter.vaultId),
          ...equals("vault_name", filter.vaultName),
          ...inEnterpriseProject(filter.enterpriseProjectId),
          ...between("created_at", filter.createdFrom, filter.createdTo),
        ],
        orders: newestFirst,
        page,
      });
      return { items: items.map(tasks.fromRow), count };
    },
    async claim({ owner, now, leaseUntil, but = null }) {
      const { rows } = await sql<object>`
        update tasks
        set status = 'running', lease_owner = ${owner}, lease_expires_at = ${leaseUntil}, fencing_token = fencing_token + 1,
          started_at = coalesce(started_at, ${now}), updated_at = ${now}
        where status = 'waiting' and id = (
          select t.id from tasks t
          left join (select project_id, count(*) as running from tasks where status = 'running' and type <> 'replication' group by project_id) busy
            on busy.project_id = t.project_id
          where t.status = 'waiting' and (${but} is null or t.type <> ${but})
            and (t.type = 'replication' or not exists (
              select 1 from tasks o where o.resource_id = t.resource_id and o.status = 'running' and o.type <> 'replication'
                and (case when o.type = 'replica' then 1 else 0 end) = (case when t.type = 'replica' then 1 else 0 end)))
          order by coalesce(busy.running, 0), t.created_at, t.seq
          limit 1)
        returning *`.execute(db.write);
      return rows[0] && tasks.fromRow(rows[0]);
    },
    async heartbeat(id, token, { now, leaseUntil, progress }) {
      const row = await db.write
        .updateTable("tasks")
        .set({ lease_expires_at: leaseUntil, updated_at: now, ...tasks.toPatch({ progress }) })
        .where("id", "=", id)
        .where("fencing_token", "=", token)
        .where("status", "=", "running")
        .returning("cancel_requested")
        .executeTakeFirst();
      return { alive: row !== undefined, cancelRequested: row?.cancel_requested === 1 };
    },
    async finish(id, token, { now, ...end }) {
      const result = await db.write
        .updateTable("tasks")
        .set({ ...tasks.toPatch(end), ended_at: now, updated_at: now, lease_owner: null, lease_expires_at: null })
        .where("id", "=", id)
        .where("fencing_token", "=", token)
        .where("status", "=", "running")
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async finishWaiting(id, { now, ...end }) {
      const result = await db.write
        .updateTable("tasks")
        .set({ ...tasks.toPatch(end), ended_at: now, updated_at: now })
        .where("id", "=", id)
        .where("status", "=", "waiting")
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async requestCancel(id, now) {
      await db.write
        .updateTable("tasks")
        .set({ cancel_requested: 1, updated_at: now })
        .where("id", "=", id)
        .where("status", "in", ["waiting", "running"])
        .execute();
    },
    async removeOlder(before, limit) {
      const oldest = db.write
        .selectFrom("tasks")
        .select("seq")
        .where("ended_at", "<", before)
        .where("status", "not in", ["waiting", "running"])
        .orderBy("ended_at")
        .limit(limit);
      const result = await db.write.deleteFrom("tasks").where("seq", "in", oldest).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
    async expiredLeases(now) {
      const rows = await db.read
        .selectFrom("tasks")
        .selectAll()
        .where("status", "=", "running")
        .where("lease_expires_at", "<=", now)
        .orderBy("lease_expires_at")
        .orderBy("seq")
        .execute();
      return rows.map(tasks.fromRow);
    },
    async runningOf(owner) {
      const rows = await db.read
        .selectFrom("tasks")
        .selectAll()
        .where("status", "=", "running")
        .where("lease_owner", "=", owner)
        .orderBy("seq")
        .execute();
      return rows.map(tasks.fromRow);
    },
    async requeue(id, token, now) {
      const result = await db.write
        .updateTable("tasks")
        .set({ status: "waiting", lease_owner: null, lease_expires_at: null, updated_at: now })
        .where("id", "=", id)
        .where("fencing_token", "=", token)
        .where("status", "=", "running")
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async openTasks({ vaultId, resourceId, backupId }) {
      const touches: Condition[] = [...equals("vault_id", vaultId), ...equals("resource_id", resourceId), ...equals("backup_id", backupId)];
      if (touches.length === 0) return [];
      const rows = await db.read
        .selectFrom("tasks")
        .selectAll()
        .where("status", "in", ["waiting", "running"])
        .where(sql<boolean>`(${sql.join(touches, sql` or `)})`)
        .orderBy("seq")
        .execute();
      return rows.map(tasks.fromRow);
    },
  };
}
