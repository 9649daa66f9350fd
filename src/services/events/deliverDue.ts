import type { Delivery } from "#model/event.ts";
import type { Context } from "../context.ts";
import { eventBody } from "./eventBody.ts";
import { sendWebhook, type Sent } from "./sendWebhook.ts";
import { signDelivery } from "./signature.ts";
import { webhookRules } from "./webhookTarget.ts";

/** Deliveries at a time, of one webhook and in all. */
const perWebhook = 5;
const atOnce = 20;
const timeoutMs = 10_000;
/** Longer than an attempt can take: who took a delivery and died holds it up no longer. */
const takenForUs = 60_000_000;
const firstDelayUs = 10_000_000;
const longestDelayUs = 3_600_000_000;
/** Attempts until it is given up: the last is some eight hours after the first. */
export const maxAttempts = 16;

export type Resolve = (host: string) => Promise<string[]>;

/** When to try again after so many attempts: 10 s, doubled each time up to an hour, and up to a fifth more by chance. */
function delayUs({ random }: Context, attempts: number): number {
  const delay = Math.min(longestDelayUs, firstDelayUs * 2 ** (attempts - 1));
  return Math.round(delay * (1 + (random.bytes(1)[0] ?? 0) / 255 / 5));
}

/**
 * Sends what is due to webhooks; tells how many attempts were made. At least once: a delivery whose answer was lost is made again, with the same
 * event id. A status of 2xx is a delivery; anything else is tried again, later and later, and given up after {@link maxAttempts}.
 */
export async function deliverDue(context: Context, options: { resolve?: Resolve } = {}): Promise<number> {
  const due = await context.catalog.events.dueDeliveries(context.clock.nowUs(), perWebhook, atOnce);
  const made = await Promise.all(due.map((delivery) => attempt(context, delivery, options)));
  return made.filter(Boolean).length;
}

async function attempt(context: Context, delivery: Delivery, { resolve }: { resolve?: Resolve }): Promise<boolean> {
  const { catalog, clock, log } = context;
  if (!(await catalog.events.takeDelivery(delivery, clock.nowUs() + takenForUs))) return false;
  const sent = await send(context, delivery, resolve);
  const now = clock.nowUs();
  const attempts = delivery.attempts + 1;
  const isDone = "status" in sent && sent.status >= 200 && sent.status < 300;
  const isOver = !isDone && attempts >= maxAttempts;
  await catalog.events.updateDelivery(delivery.id, {
    attempts,
    status: isDone ? "delivered" : isOver ? "dead" : "pending",
    lastStatus: "status" in sent ? sent.status : null,
    lastError: "error" in sent ? sent.error : null,
    nextAttemptAt: isDone || isOver ? now : now + delayUs(context, attempts),
    endedAt: isDone || isOver ? now : null,
  });
  if (isOver) log.warn({ deliveryId: delivery.id, webhookId: delivery.webhookId, ...sent }, "a delivery to a webhook was given up");
  else if (!isDone) log.debug({ deliveryId: delivery.id, webhookId: delivery.webhookId, attempts, ...sent }, "a delivery to a webhook failed");
  return true;
}

async function send(context: Context, delivery: Delivery, resolve: Resolve | undefined): Promise<Sent> {
  const { catalog, clock, secrets, settings } = context;
  const webhook = await catalog.events.getWebhook(delivery.projectId, delivery.webhookId);
  const event = await catalog.events.get(delivery.eventId);
  const url = webhook && URL.parse(webhook.url);
  if (webhook === undefined || event === undefined || !url) return { error: "the webhook or the event is no longer there" };
  let secret: string;
  try {
    secret = secrets.open(webhook.id, webhook.sealedSecret);
  } catch (error) {
    context.log.warn({ err: error, webhookId: webhook.id }, "the secret of a webhook does not open");
    return { error: "its secret was sealed under another master key: remove the webhook and add it again" };
  }
  const body = JSON.stringify(eventBody(context, event));
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "user-agent": "OpenCBR",
    "x-opencbr-event": event.type,
    "x-opencbr-event-id": event.id,
    "x-opencbr-delivery": delivery.id,
    "x-opencbr-signature": signDelivery(secret, Math.floor(clock.nowUs() / 1_000_000), body),
  };
  const rules = webhookRules(settings.webhookAllow);
  return sendWebhook(url, body, headers, { rules, clock, timeoutMs, ...(resolve === undefined ? {} : { resolve }) });
}
