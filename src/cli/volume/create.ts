import type { Command } from "commander";
import { clientCommand, wholeNumber, withTools } from "../support/command.ts";
import { severalTags } from "../support/tags.ts";
import type { WireTag } from "../support/tags.ts";
import { createVolume } from "../support/transfer.ts";

interface Options {
  name: string;
  size: number;
  snapshot?: string;
  source?: string;
  backup?: string;
  tag?: WireTag[];
}

export function volumeCreate(parent: Command): void {
  clientCommand(parent, "create", "make an empty volume")
    .requiredOption("--name <name>", "name of the volume")
    .requiredOption("--size <gib>", "size in GiB", wholeNumber(1))
    .option("--snapshot <id>", "fill it from this snapshot")
    .option("--source <id>", "fill it from this volume")
    .option("--backup <id>", "fill it from this backup")
    .option("--tag <key=value>", "a tag, by which vaults bind it; may be given several times", severalTags)
    .action((options: Options, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const more = {
          ...(options.snapshot === undefined ? {} : { snapshot_id: options.snapshot }),
          ...(options.source === undefined ? {} : { source_volid: options.source }),
          ...(options.backup === undefined ? {} : { backup_id: options.backup }),
          ...(options.tag === undefined ? {} : { tags: Object.fromEntries(options.tag.map(({ key, value }) => [key, value])) }),
        };
        const volume = await createVolume(client, options.name, options.size, more);
        output.answer({ volume }, () => `volume ${volume.id}`);
      }),
    );
}
