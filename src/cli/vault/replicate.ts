import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { copyEnd, destinationOf } from "../support/copies.ts";

interface Options {
  region: string;
  project?: string;
  to: string;
}

export function vaultReplicate(parent: Command): void {
  clientCommand(parent, "replicate <id>", "copy every backup of a vault that is not there yet into a vault of another region or project")
    .requiredOption("--region <name>", "the region that they go to; its own for another project here")
    .requiredOption("--to <id>", "the replication vault there")
    .option("--project <id>", "the project there; default: the id of your own")
    .action((id: string, options: Options, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        const replicate = { ...(await destinationOf(client, options, options.to)), vault_id: id };
        const { replication } = await client.cbr<{ replication: { backups: { backup_id: string; replication_record_id: string }[] } }>(
          "POST",
          "checkpoints/replicate",
          { replicate },
        );
        const copies = await Promise.all(replication.backups.map((backup) => copyEnd(client, backup.backup_id, backup.replication_record_id, bars)));
        output.answer({ replication_records: copies }, () => copies.map((copy) => `backup ${copy.destination_backup_id ?? ""}`).join("\n"));
      }),
    );
}
