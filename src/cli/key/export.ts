import type { Command } from "commander";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { loadMasterKey } from "#repository/master-key.ts";
import { formatRecoveryKey } from "#repository/recovery-key.ts";
import { CommandError } from "../support/errors.ts";
import { dataFolder } from "../support/folders.ts";

/** The master key as text to print and lock away. */
export function keyExport(parent: Command): void {
  parent
    .command("export")
    .description("print the master key as a recovery key: text with checksums, to be kept apart from the store")
    .requiredOption("--data <folder>", "data folder")
    .option("--to <file>", "write it into a new file, mode 0600, instead of printing it")
    .action((options: { data: string; to?: string }) => {
      const text = formatRecoveryKey(loadMasterKey(dataFolder(options.data).masterKey));
      if (options.to === undefined) process.stdout.write(text);
      else writeNew(resolve(options.to), text);
    });
}

function writeNew(path: string, text: string): void {
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw new CommandError(`${path} exists`, { cause: error });
    throw error;
  }
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
