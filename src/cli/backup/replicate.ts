import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { copyEnd, destinationOf } from "../support/copies.ts";
import { showBackup } from "../support/backups.ts";
import { formatTable } from "../support/format.ts";

interface Options {
  region: string;
  project?: string;
  vault: string;
  name?: string;
}

export function backupReplicate(parent: Command): void {
  clientCommand(parent, "replicate <id>", "copy a backup into a vault of another region or project and wait for it")
    .requiredOption("--region <name>", "the region that it goes to; its own for another project here")
    .requiredOption("--vault <id>", "the replication vault there")
    .option("--project <id>", "the project there; default: the id of your own")
    .option("--name <name>", "name of the copy; default: as the backup")
    .action((id: string, options: Options, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        const replicate = { ...(await destinationOf(client, options, options.vault)), ...(options.name === undefined ? {} : { name: options.name }) };
        const { replication } = await client.cbr<{ replication: { replication_record_id: string } }>(
          "POST",
          `backups/${encodeURIComponent(id)}/replicate`,
          { replicate },
        );
        const copy = await copyEnd(client, id, replication.replication_record_id, bars);
        output.answer({ replication_record: copy }, () => `backup ${copy.destination_backup_id ?? ""} in ${copy.destination_region}`);
      }),
    );
}

export function backupCopies(parent: Command): void {
  clientCommand(parent, "copies <id>", "list the copies that were made of a backup, and what it is a copy of").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const { replication_records: copies } = await showBackup(client, id);
        const rows = copies.map((copy) => [
          copy.status,
          `${copy.extra_info.progress} %`,
          `${copy.source_region} ${copy.source_backup_id}`,
          `${copy.destination_region} ${copy.destination_backup_id ?? ""}`,
          copy.extra_info.fail_reason,
        ]);
        output.answer({ replication_records: copies }, () => formatTable(["status", "done", "from", "to", "reason"], rows));
      }),
  );
}
