import { existsSync } from "node:fs";
import type { Command } from "commander";
import { openCatalog } from "#catalog/open.ts";
import { systemRandom } from "#platform/random.ts";
import { rotateMasterKey } from "#repository/key-rotation.ts";
import { LocalStore } from "#storage/local.ts";
import { resealSecrets } from "#reseal.ts";
import { createOutput } from "../support/output.ts";
import { dataFolder, lockData, storeFolder } from "../support/folders.ts";

/** A new master key; no data is rewritten. */
export function keyRotate(parent: Command): void {
  parent
    .command("rotate")
    .description("give a data folder and its store a new master key; ends a rotation that was interrupted")
    .requiredOption("--data <folder>", "data folder; its service must not run")
    .option("--json", "answer in JSON")
    .action(async (options: { data: string; json?: boolean }) => {
      const data = dataFolder(options.data);
      const lock = lockData(data.path);
      try {
        const store = await LocalStore.open(storeFolder(data.store));
        const reseal = async (from: Uint8Array, to: Uint8Array): Promise<void> => {
          if (!existsSync(data.catalog)) return;
          const catalog = await openCatalog({ path: data.catalog });
          try {
            await resealSecrets(catalog, from, to, systemRandom);
          } finally {
            await catalog.close();
          }
        };
        const { resumed, tenants } = await rotateMasterKey({ path: data.masterKey, store, random: systemRandom, reseal });
        createOutput(options.json === true).answer({ rotation: { resumed, projects: tenants } }, () =>
          [
            resumed ? "An interrupted rotation is complete." : "The master key is a new one.",
            `The keys of ${tenants} projects are under it, and the old one opens nothing here any more.`,
            "Tokens that were given out are void. Export a new recovery key, and keep the old one only with copies of the store from before.",
          ].join("\n"),
        );
      } finally {
        lock.release();
      }
    });
}
