import type { Command } from "commander";
import { clientCommand, withTools, wholeNumber } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

export interface WireDelivery {
  id: string;
  event_id: string;
  webhook_id: string;
  status: string;
  attempts: number;
  next_attempt_at: string | null;
  last_status: number | null;
  last_error: string | null;
  created_at: string;
}

export function webhookDeliveries(parent: Command): void {
  clientCommand(parent, "deliveries", "list what is on its way to webhooks, was delivered, or was given up, newest first")
    .option("--status <status>", "only pending, delivered or dead ones")
    .option("--limit <n>", "deliveries at most", wholeNumber(1, 1000), 100)
    .action((options: { status?: string; limit: number }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const query = new URLSearchParams({ limit: String(options.limit), ...(options.status === undefined ? {} : { status: options.status }) });
        const answer = await client.own<{ deliveries: WireDelivery[] }>("GET", `deliveries?${query.toString()}`);
        const rows = answer.deliveries.map((each) => [
          each.created_at.slice(0, 19),
          each.status,
          each.attempts,
          each.last_status ?? each.last_error,
          each.next_attempt_at?.slice(0, 19),
          each.webhook_id,
          each.id,
        ]);
        output.answer(answer, () => formatTable(["when (UTC)", "status", "attempts", "last", "next (UTC)", "webhook", "id"], rows));
      }),
    );
}
