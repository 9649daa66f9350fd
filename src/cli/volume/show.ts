import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatObject } from "../support/output.ts";
import { showVolume } from "../support/transfer.ts";

export function volumeShow(parent: Command): void {
  clientCommand(parent, "show <id>", "show a volume").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const volume = await showVolume(client, id);
      output.answer({ volume }, () => formatObject(volume));
    }),
  );
}
