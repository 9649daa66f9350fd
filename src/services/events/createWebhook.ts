import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Webhook } from "#model/event.ts";
import type { Context } from "../context.ts";
import { checkEvents, checkSecret } from "./checkWebhook.ts";
import { readWebhookUrl, webhookRules } from "./webhookTarget.ts";

/** Webhooks of one project. */
const maxPerProject = 50;

export interface CreateWebhookInput {
  url: string;
  /** Types or patterns; absent = all. */
  events?: string[];
  description?: string | null;
  /** What deliveries are signed with; absent = one is made. */
  secret?: string;
}

/**
 * Has events of the caller's project sent to a URL from now on. The secret is told here and never again.
 * @throws DomainError `invalidRequest`, `conflict` when there are too many
 */
export async function createWebhook(context: Context, caller: Caller, input: CreateWebhookInput): Promise<{ webhook: Webhook; secret: string }> {
  const { catalog, clock, random, secrets, settings } = context;
  const url = readWebhookUrl(webhookRules(settings.webhookAllow), input.url, "webhook.url");
  const secret = checkSecret(input.secret) ?? `whsec_${Buffer.from(random.bytes(32)).toString("base64url")}`;
  const id = random.uuid();
  const webhook: Webhook = {
    id,
    projectId: caller.projectId,
    userId: caller.userId,
    url: url.href,
    events: checkEvents(input.events) ?? ["*"],
    description: input.description ?? null,
    sealedSecret: secrets.seal(id, secret),
    enabled: true,
    createdAt: clock.nowUs(),
    updatedAt: null,
  };
  await catalog.transaction(async ({ events }) => {
    if ((await events.listWebhooks(caller.projectId)).length >= maxPerProject)
      throw new DomainError("conflict", `A project has at most ${maxPerProject} webhooks.`);
    await events.insertWebhook(webhook);
  });
  return { webhook, secret };
}
