import { basename } from "node:path";
import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatBytes } from "../support/format.ts";
import { openImage } from "../support/image.ts";
import { importVolume } from "../support/transfer.ts";

export function volumeImport(parent: Command): void {
  clientCommand(parent, "import <file>", "make a volume from a disk image: raw, or any format that qemu-img knows; holes are not sent")
    .option("--name <name>", "name of the volume (default: the file's)")
    .action((file: string, options: { name?: string }, command: Command) =>
      withTools(command, async ({ client, output, bars }) => {
        const image = await openImage(file);
        try {
          const name = options.name ?? basename(file);
          const { volume, sentBytes } = await importVolume(client, image, name, bars.add(`import ${name}`));
          output.answer({ volume, image: { format: image.format, size_bytes: image.sizeBytes, sent_bytes: sentBytes } }, () =>
            [`volume ${volume.id}`, `${volume.size} GiB from ${formatBytes(image.sizeBytes)} ${image.format}, ${formatBytes(sentBytes)} sent`].join(
              "\n",
            ),
          );
        } finally {
          image.dispose();
        }
      }),
    );
}
