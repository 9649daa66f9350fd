import { createHash } from "node:crypto";
import type { Tables } from "#catalog/tables.ts";
import { wantsEvent } from "#model/event.ts";
import type { ProjectEvent } from "#model/event.ts";
import type { Id } from "#model/ids.ts";

/** The same id for the same parts, always: what is told twice is then told once. A UUID of version 8 (RFC 9562). */
export function derivedId(...parts: readonly string[]): Id {
  const hex = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Writes an event, and a delivery for each webhook of its project that wants it (or for `only`), in the transaction of the fact that it tells of.
 * Tells the ids of the deliveries. An event that is there already is left as it is.
 */
export async function noteEvent({ events }: Pick<Tables, "events">, event: ProjectEvent, only?: Id): Promise<Id[]> {
  if ((await events.get(event.id)) !== undefined) return [];
  await events.insert(event);
  const ids: Id[] = [];
  for (const webhook of await events.listWebhooks(event.projectId)) {
    const isWanted = only === undefined ? webhook.enabled && wantsEvent(webhook.events, event.type) : webhook.id === only;
    if (!isWanted) continue;
    const id = derivedId("delivery", event.id, webhook.id);
    await events.insertDelivery({
      id,
      projectId: event.projectId,
      eventId: event.id,
      webhookId: webhook.id,
      status: "pending",
      attempts: 0,
      nextAttemptAt: event.createdAt,
      lastStatus: null,
      lastError: null,
      createdAt: event.createdAt,
      endedAt: null,
    });
    ids.push(id);
  }
  return ids;
}
