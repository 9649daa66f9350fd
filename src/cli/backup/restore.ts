import type { Command } from "commander";
import { clientCommand, several, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import type { WireTask } from "../support/wire.ts";
import { restoreOnto, restoreToNewVolume } from "../support/restore.ts";

interface Options {
  volume?: string;
  newVolume?: string;
  server?: string;
  map?: string[];
  allowHoles?: boolean;
}

export function backupRestore(parent: Command): void {
  clientCommand(parent, "restore <id>", "restore a backup and wait for it: to a new volume, or over what exists")
    .option("--new-volume <name>", "restore a disk backup to a new volume of this name")
    .option("--volume <id>", "overwrite this volume with a disk backup")
    .option("--server <id>", "overwrite this server's disks with a server backup")
    .option("--map <backup=volume>", "which disk backup goes onto which volume; may be given several times", several)
    .option("--allow-holes", "restore what can be read of a damaged backup; zeros elsewhere, and the ranges are told")
    .action((id: string, options: Options, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        const targets = [options.volume, options.newVolume, options.server].filter((target) => target !== undefined);
        if (targets.length !== 1) throw new CommandError("give exactly one of --new-volume, --volume and --server", { exitCode: 2 });
        if (options.newVolume !== undefined) {
          const wanted = { name: options.newVolume, allowHoles: options.allowHoles === true };
          const { volume, task } = await restoreToNewVolume(client, id, wanted, bars);
          output.answer({ volume, operation_log: task }, () => `volume ${volume.id}${lostOf(task)}`);
          return;
        }
        const mappings = options.map?.map(mappingOf);
        const target = {
          ...(options.volume === undefined ? {} : { volumeId: options.volume }),
          ...(options.server === undefined ? {} : { serverId: options.server }),
          ...(mappings === undefined ? {} : { mappings }),
          ...(options.allowHoles === true ? { allowHoles: true } : {}),
        };
        const task = await restoreOnto(client, id, target, bars);
        output.answer({ operation_log: task }, () => `restored ${id}${lostOf(task)}`);
      }),
    );
}

/** What a restore with holes had to leave out, one line per range. */
function lostOf({ extra_info: { restore } }: WireTask): string {
  return (restore?.lost ?? [])
    .flatMap((each) => each.ranges.map((range) => `\nlost: backup ${each.backup_id}, bytes ${range.offset} to ${range.offset + range.length}`))
    .join("");
}

function mappingOf(text: string): { backup_id: string; volume_id: string } {
  const [backup, volume, ...more] = text.split("=");
  if (backup === undefined || volume === undefined || more.length > 0 || backup === "" || volume === "")
    throw new CommandError(`--map must be BACKUP=VOLUME, not "${text}"`, { exitCode: 2 });
  return { backup_id: backup, volume_id: volume };
}
