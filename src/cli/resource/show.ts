import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatObject } from "../support/output.ts";

export function resourceShow(parent: Command): void {
  clientCommand(parent, "show <id>", "show a volume or server").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const answer = await client.own<{ resource: object }>("GET", `resources/${encodeURIComponent(id)}`);
      output.answer(answer, () => formatObject(answer.resource));
    }),
  );
}
