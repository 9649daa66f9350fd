import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findWebhook } from "./findWebhook.ts";

/** Removes a webhook with all that was on its way to it. @throws DomainError `webhookNotFound` */
export async function removeWebhook({ catalog }: Context, caller: Caller, input: { webhookId: Id }): Promise<void> {
  await catalog.transaction(async (tables) => {
    await findWebhook(tables, caller, input.webhookId);
    await tables.events.removeWebhook(input.webhookId);
  });
}
