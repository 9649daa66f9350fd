import { existsSync } from "node:fs";
import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import { formatBytes } from "../support/format.ts";
import { exportVolume } from "../support/transfer.ts";

export function volumeExport(parent: Command): void {
  clientCommand(parent, "export <id> <file>", "write a volume into a new sparse raw file")
    .option("--force", "overwrite the file if it exists")
    .action((id: string, file: string, options: { force?: boolean }, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        if (options.force !== true && existsSync(file)) throw new CommandError(`${file} exists already; --force overwrites it`);
        const { sizeBytes, writtenBytes } = await exportVolume(client, id, file, bars.add(`export ${id}`));
        output.answer(
          { volume_id: id, file, size_bytes: sizeBytes, written_bytes: writtenBytes },
          () => `${file}: ${formatBytes(sizeBytes)}, of it ${formatBytes(writtenBytes)} data`,
        );
      }),
    );
}
