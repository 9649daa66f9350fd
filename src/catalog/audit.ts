import { sql } from "kysely";
import type { AuditEntry } from "#model/audit.ts";
import { createCodec } from "./codec.ts";
import { between, equals, newestFirst, selectPage } from "./paging.ts";
import type { Condition } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { AuditTable } from "./audit-table.ts";

const entries = createCodec<AuditEntry>({
  id: "plain",
  projectId: "plain",
  targetProjectId: "plain",
  userId: "plain",
  userName: "plain",
  domainId: "plain",
  credential: "plain",
  credentialId: "plain",
  dialect: "plain",
  operation: "plain",
  action: "plain",
  event: "plain",
  resourceType: "plain",
  resourceId: "plain",
  resourceName: "plain",
  requestId: "plain",
  address: "plain",
  status: "plain",
  errorCode: "plain",
  times: "plain",
  createdAt: "plain",
  endedAt: "plain",
});

export function createAuditTable(db: Db): AuditTable {
  return {
    async insert(entry) {
      await db.write.insertInto("audit").values(entries.toRow(entry)).execute();
    },
    async update(id, patch) {
      await db.write.updateTable("audit").set(entries.toPatch(patch)).where("id", "=", id).execute();
    },
    async list(projectId, filter, page) {
      const outcome: Condition[] = filter.refused === undefined ? [] : [filter.refused ? sql`status >= 400` : sql`status < 400`];
      const user: Condition[] = filter.user === undefined ? [] : [sql`(user_id = ${filter.user} or user_name = ${filter.user})`];
      const { items, count } = await selectPage<object>(db.read, {
        table: "audit",
        visible: equals("project_id", filter.allProjects ? undefined : projectId),
        filter: [
          ...user,
          ...equals("operation", filter.operation),
          ...equals("action", filter.action),
          ...equals("event", filter.event),
          ...equals("resource_type", filter.resourceType),
          ...equals("resource_id", filter.resourceId),
          ...equals("request_id", filter.requestId),
          ...equals("address", filter.address),
          ...equals("credential_id", filter.credentialId),
          ...equals("status", filter.status),
          ...outcome,
          ...between("created_at", filter.createdFrom, filter.createdTo),
        ],
        orders: newestFirst,
        page,
      });
      return { items: items.map(entries.fromRow), count };
    },
    async removeOlder(before, limit) {
      const oldest = db.write.selectFrom("audit").select("id").where("created_at", "<", before).orderBy("created_at").limit(limit);
      const result = await db.write.deleteFrom("audit").where("id", "in", oldest).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}
