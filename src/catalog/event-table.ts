import type { Delivery, EventType, ProjectEvent, Webhook } from "#model/event.ts";
import type { Id, ProjectId, TimestampUs } from "#model/ids.ts";
import type { Listed, Page } from "./tables.ts";

/** Events, where they are sent, and how far each has come. */
export interface EventTable {
  insert(event: ProjectEvent): Promise<void>;
  get(id: Id): Promise<ProjectEvent | undefined>;
  list(
    projectId: ProjectId,
    filter: { type?: EventType; createdFrom?: TimestampUs; createdTo?: TimestampUs },
    page: Page,
  ): Promise<Listed<ProjectEvent>>;
  /** Removes at most `limit` events from before that time with their deliveries, the oldest first; tells how many. */
  removeOlder(before: TimestampUs, limit: number): Promise<number>;
  insertWebhook(webhook: Webhook): Promise<void>;
  getWebhook(projectId: ProjectId, id: Id): Promise<Webhook | undefined>;
  /** Oldest first; without a project, those of all. */
  listWebhooks(projectId?: ProjectId): Promise<Webhook[]>;
  updateWebhook(id: Id, patch: Partial<Omit<Webhook, "id" | "projectId">>): Promise<void>;
  /** Its deliveries go with it. */
  removeWebhook(id: Id): Promise<void>;
  insertDelivery(delivery: Delivery): Promise<void>;
  getDelivery(projectId: ProjectId, id: Id): Promise<Delivery | undefined>;
  listDeliveries(projectId: ProjectId, filter: { status?: Delivery["status"]; webhookId?: Id; eventId?: Id }, page: Page): Promise<Listed<Delivery>>;
  /** Pending ones of enabled webhooks whose time has come, at most so many of each webhook and in all. */
  dueDeliveries(now: TimestampUs, perWebhook: number, limit: number): Promise<Delivery[]>;
  /** Keeps others from making the same attempt until then; false when somebody else has taken it. */
  takeDelivery(delivery: Delivery, until: TimestampUs): Promise<boolean>;
  updateDelivery(id: Id, patch: Partial<Omit<Delivery, "id">>): Promise<void>;
}
