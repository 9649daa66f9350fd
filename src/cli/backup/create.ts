import type { Command } from "commander";
import { runBackups } from "../support/backups.ts";
import { clientCommand, several, wholeNumber, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

interface Options {
  vault: string;
  name?: string;
  description?: string;
  full?: boolean;
  resource?: string[];
  retentionDays?: number;
}

export function backupCreate(parent: Command): void {
  clientCommand(parent, "create", "back up what a vault protects, and wait for it")
    .requiredOption("--vault <id>", "the vault")
    .option("--name <name>", "name of the backups")
    .option("--description <text>", "description of the run")
    .option("--full", "read and compare with nothing, instead of with the newest backup")
    .option("--resource <id>", "only this resource of the vault; may be given several times", several)
    .option("--retention-days <days>", "delete the backups after so many days", wholeNumber(1, 99999))
    .action((options: Options, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        const request = {
          vaultId: options.vault,
          incremental: options.full !== true,
          ...(options.name === undefined ? {} : { name: options.name }),
          ...(options.description === undefined ? {} : { description: options.description }),
          ...(options.resource === undefined ? {} : { resourceIds: options.resource }),
          ...(options.retentionDays === undefined ? {} : { retentionDays: options.retentionDays }),
        };
        const backups = await runBackups(client, request, bars);
        output.answer({ backups }, () =>
          formatTable(
            ["id", "name", "resource", "status"],
            backups.map((backup) => [backup.id, backup.name, backup.resource_name, backup.status]),
          ),
        );
      }),
    );
}
