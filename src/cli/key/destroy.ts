import { existsSync } from "node:fs";
import type { Command } from "commander";
import { openCatalog } from "#catalog/open.ts";
import { isProjectId } from "#model/ids.ts";
import { systemClock } from "#platform/clock.ts";
import { destroyTenantKey } from "#repository/key-rotation.ts";
import { loadMasterKey } from "#repository/master-key.ts";
import { OfflineRepository } from "#repository/offline.ts";
import { shredProject, vaultsThatKeep } from "#services/rebuild/shredProject.ts";
import { LocalStore } from "#storage/local.ts";
import { CommandError } from "../support/errors.ts";
import { dataFolder, lockData, storeFolder } from "../support/folders.ts";
import { createOutput } from "../support/output.ts";

interface Options {
  data: string;
  project: string;
  confirm: string;
  json?: boolean;
}

/** Crypto-shredding: without its key nothing of a project can be read again. */
export function keyDestroy(parent: Command): void {
  parent
    .command("destroy")
    .description("destroy the key of a project: its backups can never be read again, by anybody")
    .requiredOption("--data <folder>", "data folder; its service must not run")
    .requiredOption("--project <id>", "the project")
    .requiredOption("--confirm <id>", "the project once more: there is no way back")
    .option("--json", "answer in JSON")
    .action(async (options: Options) => {
      const { project } = options;
      if (!isProjectId(project)) throw new CommandError(`--project must be the id of a project, 32 hex digits, not "${project}"`, { exitCode: 2 });
      if (options.confirm !== project) throw new CommandError("--confirm is not the project of --project: nothing was changed", { exitCode: 2 });
      const data = dataFolder(options.data);
      const lock = lockData(data.path);
      try {
        const path = storeFolder(data.store);
        await OfflineRepository.open(path, loadMasterKey(data.masterKey));
        if (!existsSync(data.catalog))
          throw new CommandError(
            "there is no catalog to tell whether a vault's lock keeps the backups: run opencbr rebuild first; nothing was changed",
          );
        const catalog = await openCatalog({ path: data.catalog });
        let backups: number;
        try {
          const kept = await vaultsThatKeep(catalog, project, systemClock.nowUs());
          if (kept.length > 0) {
            const names = kept.join(", ");
            throw new CommandError(`locked vaults keep backups of the project whose time is not over: ${names}; nothing was changed`);
          }
          await destroyTenantKey(await LocalStore.open(path), project);
          backups = await shredProject(catalog, project, systemClock.nowUs());
        } finally {
          await catalog.close();
        }
        createOutput(options.json === true).answer({ destroyed: { project, backups } }, () =>
          [
            `The key of project ${project} is destroyed; ${backups} backups are in error for good.`,
            "Copies of the store from before still hold the key, under the master key:",
            "rotate the master key and destroy the old one to make those useless too.",
          ].join("\n"),
        );
      } finally {
        lock.release();
      }
    });
}
