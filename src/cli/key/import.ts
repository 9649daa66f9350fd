import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { systemRandom } from "#platform/random.ts";
import { loadMasterKey, storeMasterKey } from "#repository/master-key.ts";
import { OfflineRepository } from "#repository/offline.ts";
import { parseRecoveryKey } from "#repository/recovery-key.ts";
import { CommandError } from "../support/errors.ts";
import { dataFolder, lockData, makePrivateFolder } from "../support/folders.ts";

/** Makes the master key file again from a recovery key. */
export function keyImport(parent: Command): void {
  parent
    .command("import")
    .description("make the master key file of a data folder from a recovery key")
    .requiredOption("--data <folder>", "data folder; it must have no other master key")
    .option("--from <file>", "file with the recovery key (default: standard input)")
    .action(async (options: { data: string; from?: string }) => {
      const masterKey = parseRecoveryKey(readFileSync(options.from === undefined ? 0 : resolve(options.from), "utf8"));
      const data = dataFolder(options.data);
      makePrivateFolder(data.path);
      const lock = lockData(data.path);
      try {
        // Tells a key that is not this store's before it is there.
        if (existsSync(join(data.store, "objects", "opencbr-repository.json"))) await OfflineRepository.open(data.store, masterKey);
        if (existsSync(data.masterKey)) {
          if (Buffer.compare(loadMasterKey(data.masterKey), masterKey) !== 0)
            throw new CommandError(`${data.masterKey} is another key: move it away first`);
        } else storeMasterKey(data.masterKey, masterKey, systemRandom);
      } finally {
        lock.release();
      }
      process.stdout.write(`${data.masterKey} is in place\n`);
    });
}
