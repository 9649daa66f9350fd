import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

interface WireWebhook {
  id: string;
  url: string;
  events: string[];
  enabled: boolean;
  description: string | null;
}

export function webhookList(parent: Command): void {
  clientCommand(parent, "list", "list the project's webhooks").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const answer = await client.own<{ webhooks: WireWebhook[] }>("GET", "webhooks");
      const rows = answer.webhooks.map(({ id, url, events, enabled, description }) => [id, url, events.join(" "), enabled, description]);
      output.answer(answer, () => formatTable(["id", "url", "events", "enabled", "description"], rows));
    }),
  );
}
