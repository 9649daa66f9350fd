import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Delivery } from "#model/event.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findDelivery, findWebhook } from "./findWebhook.ts";
import { noteEvent } from "./noteEvent.ts";

/**
 * Sends a `webhook.test` event to one webhook, whatever events it wants; tells the delivery, which is made as any other.
 * @throws DomainError `webhookNotFound`, `conflict` when it is disabled
 */
export async function testWebhook(context: Context, caller: Caller, input: { webhookId: Id }): Promise<Delivery> {
  return context.catalog.transaction(async (tables) => {
    const { id, projectId, enabled } = await findWebhook(tables, caller, input.webhookId);
    if (!enabled) throw new DomainError("conflict", `Webhook ${id} is disabled: nothing is sent to it.`);
    const event = {
      id: context.random.uuid(),
      projectId,
      type: "webhook.test" as const,
      createdAt: context.clock.nowUs(),
      data: { webhook: { id }, request_id: caller.requestId },
    };
    const [deliveryId = ""] = await noteEvent(tables, event, id);
    return findDelivery(tables, caller, deliveryId);
  });
}
