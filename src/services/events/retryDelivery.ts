import type { Caller } from "#model/caller.ts";
import type { Delivery } from "#model/event.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findDelivery } from "./findWebhook.ts";

/**
 * Has a delivery made again, from the first attempt on: one that was given up, one that waits, or one that was made.
 * @throws DomainError `deliveryNotFound`
 */
export async function retryDelivery(context: Context, caller: Caller, input: { deliveryId: Id }): Promise<Delivery> {
  return context.catalog.transaction(async (tables) => {
    const { id } = await findDelivery(tables, caller, input.deliveryId);
    await tables.events.updateDelivery(id, { status: "pending", attempts: 0, nextAttemptAt: context.clock.nowUs(), endedAt: null });
    return findDelivery(tables, caller, id);
  });
}
