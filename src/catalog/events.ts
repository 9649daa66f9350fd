import { sql } from "kysely";
import type { Delivery, ProjectEvent, Webhook } from "#model/event.ts";
import { createCodec } from "./codec.ts";
import { between, equals, newestFirst, selectPage } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { EventTable } from "./event-table.ts";

const events = createCodec<ProjectEvent>({ id: "plain", projectId: "plain", type: "plain", data: "json", createdAt: "plain" });
const webhooks = createCodec<Webhook>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  url: "plain",
  events: "json",
  description: "plain",
  sealedSecret: "plain",
  enabled: "flag",
  createdAt: "plain",
  updatedAt: "plain",
});
const deliveries = createCodec<Delivery>({
  id: "plain",
  projectId: "plain",
  eventId: "plain",
  webhookId: "plain",
  status: "plain",
  attempts: "plain",
  nextAttemptAt: "plain",
  lastStatus: "plain",
  lastError: "plain",
  createdAt: "plain",
  endedAt: "plain",
});

export function createEventTable(db: Db): EventTable {
  return {
    async insert(event) {
      await db.write.insertInto("events").values(events.toRow(event)).execute();
    },
    async get(id) {
      const row = await db.read.selectFrom("events").selectAll().where("id", "=", id).executeTakeFirst();
      return row && events.fromRow(row);
    },
    async list(projectId, filter, page) {
      const { items, count } = await selectPage<object>(db.read, {
        table: "events",
        visible: equals("project_id", projectId),
        filter: [...equals("type", filter.type), ...between("created_at", filter.createdFrom, filter.createdTo)],
        orders: newestFirst,
        page,
      });
      return { items: items.map(events.fromRow), count };
    },
    async removeOlder(before, limit) {
      const oldest = db.write.selectFrom("events").select("id").where("created_at", "<", before).orderBy("created_at").limit(limit);
      const result = await db.write.deleteFrom("events").where("id", "in", oldest).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
    async insertWebhook(webhook) {
      await db.write.insertInto("webhooks").values(webhooks.toRow(webhook)).execute();
    },
    async getWebhook(projectId, id) {
      const row = await db.read.selectFrom("webhooks").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && webhooks.fromRow(row);
    },
    async listWebhooks(projectId) {
      const all = db.read.selectFrom("webhooks").selectAll().orderBy("created_at").orderBy("id");
      const rows = await (projectId === undefined ? all : all.where("project_id", "=", projectId)).execute();
      return rows.map(webhooks.fromRow);
    },
    async updateWebhook(id, patch) {
      await db.write.updateTable("webhooks").set(webhooks.toPatch(patch)).where("id", "=", id).execute();
    },
    async removeWebhook(id) {
      await db.write.deleteFrom("webhooks").where("id", "=", id).execute();
    },
    async insertDelivery(delivery) {
      await db.write.insertInto("deliveries").values(deliveries.toRow(delivery)).execute();
    },
    async getDelivery(projectId, id) {
      const row = await db.read.selectFrom("deliveries").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && deliveries.fromRow(row);
    },
    async listDeliveries(projectId, filter, page) {
      const { items, count } = await selectPage<object>(db.read, {
        table: "deliveries",
        visible: equals("project_id", projectId),
        filter: [...equals("status", filter.status), ...equals("webhook_id", filter.webhookId), ...equals("event_id", filter.eventId)],
        orders: newestFirst,
        page,
      });
      return { items: items.map(deliveries.fromRow), count };
    },
    async dueDeliveries(now, perWebhook, limit) {
      const { rows } = await sql<object>`
        select * from (
          select d.*, row_number() over (partition by d.webhook_id order by d.next_attempt_at, d.id) as turn
          from deliveries d join webhooks w on w.id = d.webhook_id
          where d.status = 'pending' and d.next_attempt_at <= ${now} and w.enabled = 1) due
        where turn <= ${perWebhook} order by next_attempt_at, id limit ${limit}`.execute(db.read);
      return rows.map(deliveries.fromRow);
    },
    async takeDelivery({ id, nextAttemptAt }, until) {
      const result = await db.write
        .updateTable("deliveries")
        .set({ next_attempt_at: until })
        .where("id", "=", id)
        .where("status", "=", "pending")
        .where("next_attempt_at", "=", nextAttemptAt)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async updateDelivery(id, patch) {
      await db.write.updateTable("deliveries").set(deliveries.toPatch(patch)).where("id", "=", id).execute();
    },
  };
}
