import type { Listed, Page } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Delivery } from "#model/event.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";

/** What is on its way to webhooks of the caller's project, was delivered, or was given up; newest first. */
export const listDeliveries = (
  { catalog }: Context,
  caller: Caller,
  filter: { status?: Delivery["status"]; webhookId?: Id; eventId?: Id },
  page: Page,
): Promise<Listed<Delivery>> => catalog.events.listDeliveries(caller.projectId, filter, page);
