import type { Caller } from "#model/caller.ts";
import type { Webhook } from "#model/event.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { checkEvents } from "./checkWebhook.ts";
import { findWebhook } from "./findWebhook.ts";
import { readWebhookUrl, webhookRules } from "./webhookTarget.ts";

export interface UpdateWebhookInput {
  webhookId: Id;
  url?: string;
  events?: string[];
  description?: string | null;
  /** What is pending of a disabled one waits until it is enabled again; of what happens meanwhile nothing is sent. */
  enabled?: boolean;
}

/**
 * What is not given stays.
 * @throws DomainError `webhookNotFound`, `invalidRequest`
 */
export async function updateWebhook(context: Context, caller: Caller, input: UpdateWebhookInput): Promise<Webhook> {
  const { webhookId, url, events, description, enabled } = input;
  const patch = {
    ...(url === undefined ? {} : { url: readWebhookUrl(webhookRules(context.settings.webhookAllow), url, "webhook.url").href }),
    ...(events === undefined ? {} : { events: checkEvents(events) ?? [] }),
    ...(description === undefined ? {} : { description }),
    ...(enabled === undefined ? {} : { enabled }),
    updatedAt: context.clock.nowUs(),
  };
  return context.catalog.transaction(async (tables) => {
    await findWebhook(tables, caller, webhookId);
    await tables.events.updateWebhook(webhookId, patch);
    return findWebhook(tables, caller, webhookId);
  });
}
