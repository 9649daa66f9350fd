import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import { listAll } from "../support/paging.ts";

interface WireResource {
  id: string;
  type: string;
  name: string;
  status: string;
  size: number;
}

export function resourceList(parent: Command): void {
  clientCommand(parent, "list", "list what can be protected: volumes and servers").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const resources = await listAll((query) =>
        client.own<{ resources: WireResource[] }>("GET", `resources?${query}`).then((page) => page.resources),
      );
      output.answer({ resources }, () =>
        formatTable(
          ["id", "type", "name", "GiB", "status"],
          resources.map(({ id, type, name, size, status }) => [id, type, name, size, status]),
        ),
      );
    }),
  );
}
