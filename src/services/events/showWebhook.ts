import type { Caller } from "#model/caller.ts";
import type { Webhook } from "#model/event.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findWebhook } from "./findWebhook.ts";

/** @throws DomainError `webhookNotFound` */
export const showWebhook = ({ catalog }: Context, caller: Caller, input: { webhookId: Id }): Promise<Webhook> =>
  findWebhook(catalog, caller, input.webhookId);
