import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { untilGone } from "../support/gone.ts";
import { showVolume } from "../support/transfer.ts";

export function volumeDelete(parent: Command): void {
  clientCommand(parent, "delete <id>", "delete a volume; its backups stay").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      await client.volume("DELETE", `volumes/${encodeURIComponent(id)}`);
      await untilGone(
        `volume ${id}`,
        () => showVolume(client, id),
        (volume) => volume.status,
      );
      output.answer({ deleted: id }, () => `deleted ${id}`);
    }),
  );
}
