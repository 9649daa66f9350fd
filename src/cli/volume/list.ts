import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import { listAll } from "../support/paging.ts";
import type { WireVolume } from "../support/wire.ts";

export function volumeList(parent: Command): void {
  clientCommand(parent, "list", "list the project's volumes").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const volumes = await listAll((query) =>
        client.volume<{ volumes: WireVolume[] }>("GET", `volumes/detail?${query}`).then((page) => page.volumes),
      );
      output.answer({ volumes }, () =>
        formatTable(
          ["id", "name", "GiB", "status", "type"],
          volumes.map((volume) => [volume.id, volume.name, volume.size, volume.status, volume.volume_type]),
        ),
      );
    }),
  );
}
