import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { systemRandom } from "#platform/random.ts";
import { buildDisk, copyImage } from "./demo/image.ts";
import { startPrivateService } from "./demo/private-service.ts";
import { formatReport } from "./demo/report.ts";
import { type DemoParts, removeMade, runDemo } from "./demo/run.ts";
import { createBars } from "./support/bars.ts";
import { Client, connectionOf } from "./support/client.ts";
import { CommandError } from "./support/errors.ts";
import { createOutput } from "./support/output.ts";

interface Options {
  image?: string;
  endpoint?: string;
  json?: boolean;
}

export function demo(parent: Command, mainPath: string): void {
  parent
    .command("demo")
    .description("the main job end to end: back up a disk twice, show the backup in every dialect, restore and compare")
    .option("--image <file>", "the disk: raw, or any format that qemu-img knows (default: a 256 MiB ext4 disk with files of this system)")
    .option("--endpoint <url>", "a running service (default: OS_AUTH_URL, else a private service for this run alone)")
    .option("--json", "answer in JSON")
    .action((options: Options) => demoCommand(options, mainPath));
}

async function demoCommand(options: Options, mainPath: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-demo-"));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  const output = createOutput(options.json === true);
  const bars = createBars(options.json !== true);
  let kill = (): void => {};
  const onSignal = (): void => {
    kill();
    removeFolder();
    process.exit(130);
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const disk = options.image === undefined ? await buildDisk(folder) : await copyImage(options.image, folder);
    const isPrivate = options.endpoint === undefined && !process.env["OS_AUTH_URL"];
    const service = isPrivate ? await startPrivateService(mainPath, join(folder, "data")) : undefined;
    kill = service?.kill ?? kill;
    const client = new Client(service === undefined ? connectionOf(options.endpoint, process.env) : connectionOf(service.baseUrl, {}));
    const parts: DemoParts = {
      client,
      bars,
      random: systemRandom,
      disk,
      folder,
      note: (text) => bars.note(text),
      made: { volumeIds: [], vaultIds: [] },
    };
    try {
      const report = { service: { url: client.connection.baseUrl, private: isPrivate }, ...(await runDemo(parts)) };
      bars.stop();
      output.answer(report, () => formatReport(report));
      if (!report.equal) throw new CommandError("a restored disk is not what was backed up");
    } finally {
      bars.stop();
      if (service === undefined) await removeMade(parts);
      await service?.stop();
    }
  } finally {
    process.removeListener("SIGINT", onSignal).removeListener("SIGTERM", onSignal);
    removeFolder();
  }
}
