import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Delivery, Webhook } from "#model/event.ts";
import type { Id } from "#model/ids.ts";

/** @throws DomainError `webhookNotFound` */
export async function findWebhook({ events }: Pick<Tables, "events">, caller: Pick<Caller, "projectId">, id: Id): Promise<Webhook> {
  const webhook = await events.getWebhook(caller.projectId, id);
  if (webhook === undefined) throw new DomainError("webhookNotFound", `no webhook ${JSON.stringify(id.slice(0, 64))}`);
  return webhook;
}

/** @throws DomainError `deliveryNotFound` */
export async function findDelivery({ events }: Pick<Tables, "events">, caller: Pick<Caller, "projectId">, id: Id): Promise<Delivery> {
  const delivery = await events.getDelivery(caller.projectId, id);
  if (delivery === undefined) throw new DomainError("deliveryNotFound", `no delivery ${JSON.stringify(id.slice(0, 64))}`);
  return delivery;
}
