import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import type { Delivery, Webhook } from "#model/event.ts";
import { isUuid } from "#model/ids.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import { createWebhook } from "#services/events/createWebhook.ts";
import { listDeliveries } from "#services/events/listDeliveries.ts";
import { listWebhooks } from "#services/events/listWebhooks.ts";
import { removeWebhook } from "#services/events/removeWebhook.ts";
import { retryDelivery } from "#services/events/retryDelivery.ts";
import { showWebhook } from "#services/events/showWebhook.ts";
import { testWebhook } from "#services/events/testWebhook.ts";
import { updateWebhook } from "#services/events/updateWebhook.ts";
import { maybe, paramsSchema, querySchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";
import { one, oneOf, page } from "../query.ts";

const common = {
  events: maybe(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 32 })),
  description: maybe(Type.String({ maxLength: 255 })),
};
const url = Type.String({ minLength: 1, maxLength: 2048 });
const createBody = Type.Object({
  webhook: Type.Object({ url, ...common, secret: maybe(Type.String({ minLength: 16, maxLength: 128 })) }, { additionalProperties: false }),
});
const updateBody = Type.Object({
  webhook: Type.Object({ url: maybe(url), ...common, enabled: maybe(Type.Boolean()) }, { additionalProperties: false }),
});
const params = paramsSchema("project_id", "webhook_id");

function webhookIdOf(given: Readonly<Record<string, string>>): string {
  const id = given["webhook_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("webhookNotFound", `no webhook ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}
function deliveryIdOf(given: Readonly<Record<string, string>>): string {
  const id = given["delivery_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("deliveryNotFound", `no delivery ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

const renderWebhook = (webhook: Webhook) => ({
  id: webhook.id,
  url: webhook.url,
  events: webhook.events,
  description: webhook.description,
  enabled: webhook.enabled,
  user_id: webhook.userId,
  created_at: naiveUtc(webhook.createdAt),
  updated_at: naiveUtcOrNull(webhook.updatedAt),
});

const renderDelivery = (delivery: Delivery) => ({
  id: delivery.id,
  event_id: delivery.eventId,
  webhook_id: delivery.webhookId,
  status: delivery.status,
  attempts: delivery.attempts,
  next_attempt_at: delivery.status === "pending" ? naiveUtc(delivery.nextAttemptAt) : null,
  last_status: delivery.lastStatus,
  last_error: delivery.lastError,
  created_at: naiveUtc(delivery.createdAt),
  ended_at: naiveUtcOrNull(delivery.endedAt),
});

/** Where events are sent, and how far each has come. */
export const webhookRoutes = [
  defineRoute({
    method: "POST",
    path: "/webhooks",
    operation: "CreateWebhook",
    action: "opencbr:webhooks:create",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: createBody },
    async handler({ body: { webhook: given } }, caller, context) {
      const { webhook, secret } = await createWebhook(context, caller, {
        url: given.url,
        description: given.description ?? null,
        ...(given.events ? { events: given.events } : {}),
        ...(given.secret ? { secret: given.secret } : {}),
      });
      return { body: { webhook: { ...renderWebhook(webhook), secret } } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/webhooks",
    operation: "ListWebhooks",
    action: "opencbr:webhooks:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    handler: async (_request, caller, context) => ({ body: { webhooks: (await listWebhooks(context, caller)).map(renderWebhook) } }),
  }),
  defineRoute({
    method: "GET",
    path: "/webhooks/:webhook_id",
    operation: "ShowWebhook",
    action: "opencbr:webhooks:get",
    successStatus: 200,
    schema: { params },
    handler: async (request, caller, context) => ({
      body: { webhook: renderWebhook(await showWebhook(context, caller, { webhookId: webhookIdOf(request.params) })) },
    }),
  }),
  defineRoute({
    method: "PUT",
    path: "/webhooks/:webhook_id",
    operation: "UpdateWebhook",
    action: "opencbr:webhooks:update",
    successStatus: 200,
    schema: { params, body: updateBody },
    async handler(request, caller, context) {
      const { description, ...given } = request.body.webhook;
      const webhook = await updateWebhook(context, caller, {
        webhookId: webhookIdOf(request.params),
        ...(given.url ? { url: given.url } : {}),
        ...(given.events ? { events: given.events } : {}),
        ...(description === undefined ? {} : { description }),
        ...(typeof given.enabled === "boolean" ? { enabled: given.enabled } : {}),
      });
      return { body: { webhook: renderWebhook(webhook) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/webhooks/:webhook_id",
    operation: "RemoveWebhook",
    action: "opencbr:webhooks:delete",
    successStatus: 204,
    schema: { params },
    async handler(request, caller, context) {
      await removeWebhook(context, caller, { webhookId: webhookIdOf(request.params) });
      return {};
    },
  }),
  defineRoute({
    method: "POST",
    path: "/webhooks/:webhook_id/test",
    operation: "TestWebhook",
    action: "opencbr:webhooks:test",
    successStatus: 202,
    schema: { params },
    handler: async (request, caller, context) => ({
      body: { delivery: renderDelivery(await testWebhook(context, caller, { webhookId: webhookIdOf(request.params) })) },
    }),
  }),
  defineRoute({
    method: "GET",
    path: "/deliveries",
    operation: "ListDeliveries",
    action: "opencbr:deliveries:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["status", "webhook_id", "event_id", "limit", "offset", "marker"]) },
    async handler({ query }, caller, context) {
      const asked = page(query, { max: 1000 });
      const [status, webhookId, eventId] = [
        oneOf(query, "status", ["pending", "delivered", "dead"]),
        one(query, "webhook_id"),
        one(query, "event_id"),
      ];
      const filter = {
        ...(status === undefined ? {} : { status }),
        ...(webhookId === undefined ? {} : { webhookId }),
        ...(eventId === undefined ? {} : { eventId }),
      };
      const { items, count } = await listDeliveries(context, caller, filter, asked);
      return { body: { deliveries: items.map(renderDelivery), count, limit: asked.limit, offset: asked.offset } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/deliveries/:delivery_id/retry",
    operation: "RetryDelivery",
    action: "opencbr:deliveries:retry",
    successStatus: 202,
    schema: { params: paramsSchema("project_id", "delivery_id") },
    handler: async (request, caller, context) => ({
      body: { delivery: renderDelivery(await retryDelivery(context, caller, { deliveryId: deliveryIdOf(request.params) })) },
    }),
  }),
];
