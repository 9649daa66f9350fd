import { existsSync, lstatSync, readdirSync, realpathSync, rmSync, rmdirSync, symlinkSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { openCatalog } from "#catalog/open.ts";
import { renameDurably } from "#platform/durable.ts";
import { systemRandom } from "#platform/random.ts";
import { startEngine } from "#repository/engine.ts";
import { loadMasterKey, storeMasterKey } from "#repository/master-key.ts";
import { OfflineRepository } from "#repository/offline.ts";
import { rebuildCatalog } from "#services/rebuild/rebuildCatalog.ts";
import type { RebuildReport } from "#services/rebuild/rebuildCatalog.ts";
import { createBars } from "./support/bars.ts";
import { CommandError } from "./support/errors.ts";
import { type DataFolder, dataFolder, dataFolderAround, lockAround, lockData, makePrivateFolder, storeFolder } from "./support/folders.ts";
import { createOutput } from "./support/output.ts";

interface Options {
  from: string;
  data: string;
  key?: string;
  json?: boolean;
}

/** Catalog and index again from nothing but the store and the master key. */
export function rebuild(parent: Command): void {
  parent
    .command("rebuild")
    .description("make a lost catalog and chunk index again from the store")
    .requiredOption("--from <store>", "folder of the store")
    .requiredOption("--data <folder>", "data folder that gets the catalog; it must have none")
    .option("--key <file>", "master key file (default: master.key in the data folder)")
    .option("--json", "answer in JSON")
    .action(async (options: Options) => {
      const store = storeFolder(options.from);
      const data = dataFolder(options.data);
      if (existsSync(data.catalog))
        throw new CommandError(`${data.path} has a catalog already: move ${data.catalog} away if it is the one that is lost`);
      makePrivateFolder(data.path);
      const lock = lockData(data.path);
      try {
        const other = dataFolderAround(store);
        const isOwn = other !== undefined && realpathSync(data.path) === realpathSync(other.path);
        if (!isOwn && other !== undefined && existsSync(other.catalog))
          throw new CommandError(`the store ${store} belongs to the data folder ${other.path}, which has its catalog`);
        const around = isOwn ? undefined : lockAround(store);
        try {
          const masterKey = await chooseKey(data, store, options.key);
          linkStore(data, store);
          const report = await run(data, masterKey, options.json === true);
          createOutput(options.json === true).answer(report, () => describe(report, data));
        } finally {
          around?.release();
        }
      } finally {
        lock.release();
      }
    });
}

/** The master key of the new data folder: its own, or the given one, which it gets a copy of when it is the store's. */
async function chooseKey(data: DataFolder, store: string, given: string | undefined): Promise<Uint8Array> {
  if (!existsSync(data.masterKey)) {
    if (given === undefined) throw new CommandError(`${data.masterKey} is missing: name the master key file with --key`, { exitCode: 2 });
    const masterKey = loadMasterKey(resolve(given));
    await OfflineRepository.open(store, masterKey);
    storeMasterKey(data.masterKey, masterKey, systemRandom);
    return masterKey;
  }
  const own = loadMasterKey(data.masterKey);
  if (given !== undefined && Buffer.compare(own, loadMasterKey(resolve(given))) !== 0)
    throw new CommandError(`${data.masterKey} is another key than ${given}: move it away, or leave --key out`);
  return own;
}

/** The service looks for the store in its data folder: a store elsewhere is linked there. */
function linkStore(data: DataFolder, store: string): void {
  const found = lstatSync(data.store, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (realpathSync(data.store) === store) return;
    if (!found.isDirectory() || readdirSync(data.store).length > 0) throw new CommandError(`${data.store} is another store than ${store}`);
    rmdirSync(data.store);
  }
  symlinkSync(store, data.store);
}

async function run(data: DataFolder, masterKey: Uint8Array, isJson: boolean): Promise<RebuildReport> {
  makePrivateFolder(data.volumes);
  const begun = `${data.catalog}.rebuild`;
  // What belongs to a database that is gone would be taken for a part of the new one.
  removeAll([`${data.catalog}-wal`, `${data.catalog}-shm`]);
  if (!existsSync(begun)) removeAll(["", "-wal", "-shm"].map((end) => `${data.index}${end}`));
  const bars = createBars(!isJson);
  try {
    const engine = await startEngine({ storePath: data.store, indexPath: data.index, masterKey, laneCount: 1 });
    try {
      const catalog = await openCatalog({ path: begun });
      let report: RebuildReport;
      try {
        const onProgress = (done: number, total: number): void => {
          if (done > 0 && (done % 1000 === 0 || done === total)) bars.note(`${done} of ${total} backups`);
        };
        report = await rebuildCatalog({ catalog, engine, random: systemRandom, volumesPath: data.volumes, onProgress });
      } finally {
        await catalog.close();
      }
      renameDurably(begun, data.catalog);
      return report;
    } finally {
      await engine.close();
    }
  } finally {
    bars.stop();
  }
}

function removeAll(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { force: true });
}

function describe(report: RebuildReport, data: DataFolder): string {
  return [
    `${report.backups} backups of ${report.projects} projects are in the new catalog of ${data.path}.`,
    "Users, passwords, access keys and the log of tasks are nowhere but in a catalog and are lost: the next start of the service makes new accounts",
    "on the same projects and prints them once.",
    ...report.unreadable.map(
      ({ projectId, backupId, reason }) => `not readable: project ${projectId}${backupId === null ? "" : `, backup ${backupId}`}: ${reason}`,
    ),
  ].join("\n");
}
