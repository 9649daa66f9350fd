import type { Command } from "commander";
import { systemClock } from "#platform/clock.ts";
import { clientCommand, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import type { WireDelivery } from "./deliveries.ts";

const waitMs = 30_000;
const everyMs = 250;

export function webhookTest(parent: Command): void {
  clientCommand(parent, "test <id>", "send a test event to a webhook, and wait for the outcome of the first attempt").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const { delivery: sent } = await client.own<{ delivery: WireDelivery }>("POST", `webhooks/${encodeURIComponent(id)}/test`);
        let delivery = sent;
        for (let waitedMs = 0; delivery.attempts === 0 && waitedMs < waitMs; waitedMs += everyMs) {
          await systemClock.sleep(everyMs);
          const { deliveries } = await client.own<{ deliveries: WireDelivery[] }>("GET", `deliveries?event_id=${sent.event_id}`);
          delivery = deliveries[0] ?? delivery;
        }
        output.answer({ delivery }, () => (delivery.status === "delivered" ? `delivered: ${delivery.last_status}` : "not delivered"));
        if (delivery.status !== "delivered")
          throw new CommandError(`the webhook was not reached: ${delivery.last_error ?? delivery.last_status ?? "no attempt was made yet"}`);
      }),
  );
}
