import type { Caller } from "#model/caller.ts";
import type { Webhook } from "#model/event.ts";
import type { Context } from "../context.ts";

/** The webhooks of the caller's project, the oldest first. */
export const listWebhooks = ({ catalog }: Context, caller: Caller): Promise<Webhook[]> => catalog.events.listWebhooks(caller.projectId);
