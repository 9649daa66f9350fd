import type { Command } from "commander";
import { clientCommand, withTools, wholeNumber } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

interface WireEvent {
  id: string;
  type: string;
  created_at: string;
  data: Record<string, { id?: string; name?: string | null } | undefined>;
}

export function eventList(parent: Command): void {
  clientCommand(parent, "list", "list what happened, newest first: tasks that ended, vaults nearly full, damage")
    .option("--type <type>", "only of this type, such as task.failed")
    .option("--limit <n>", "events at most", wholeNumber(1, 1000), 100)
    .action((options: { type?: string; limit: number }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const query = new URLSearchParams({ limit: String(options.limit), ...(options.type === undefined ? {} : { type: options.type }) });
        const answer = await client.own<{ events: WireEvent[] }>("GET", `events?${query.toString()}`);
        const rows = answer.events.map(({ id, type, created_at: at, data }) => {
          const subject = data["vault"] ?? data["task"];
          return [at.slice(0, 19), type, subject?.name ?? subject?.id, id];
        });
        output.answer(answer, () => formatTable(["when (UTC)", "type", "of", "id"], rows));
      }),
    );
}
