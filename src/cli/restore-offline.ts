import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { loadMasterKey } from "#repository/master-key.ts";
import { OfflineRepository } from "#repository/offline.ts";
import type { OfflineBackup } from "#repository/offline.ts";
import { naiveUtc } from "#model/timestamps.ts";
import { readDocument } from "#services/rebuild/readDocument.ts";
import { createBars } from "./support/bars.ts";
import { CommandError } from "./support/errors.ts";
import { dataFolderAround, lockAround, storeFolder } from "./support/folders.ts";
import { formatBytes, formatTable } from "./support/format.ts";
import { createOutput } from "./support/output.ts";

interface Options {
  offline?: boolean;
  store: string;
  key?: string;
  project?: string;
  backup?: string;
  to?: string;
  force?: boolean;
  allowHoles?: boolean;
  list?: boolean;
  json?: boolean;
}

/** Reads backups straight from a store, when there is no service and no catalog. */
export function restoreOffline(parent: Command): void {
  parent
    .command("restore")
    .description("restore a backup straight from a store, or list what it holds: no service, no catalog")
    .requiredOption("--offline", "without a service (with one: opencbr backup restore)")
    .requiredOption("--store <folder>", "folder of the store; it is only read")
    .option("--key <file>", "master key file (default: master.key beside the store)")
    .option("--project <id>", "look only at this project")
    .option("--backup <id>", "the disk backup to restore")
    .option("--to <file>", "raw image or block device to write")
    .option("--force", "overwrite what --to names")
    .option("--allow-holes", "restore what can be read of a damaged backup; the rest becomes zeros and is told")
    .option("--list", "list the backups of the store")
    .option("--json", "answer in JSON")
    .action(async (options: Options) => {
      if ((options.list === true) === (options.backup !== undefined))
        throw new CommandError("give either --list, or --backup and --to", { exitCode: 2 });
      const store = storeFolder(options.store);
      const keyPath = options.key ?? dataFolderAround(store)?.masterKey;
      if (keyPath === undefined) throw new CommandError("name the master key file with --key", { exitCode: 2 });
      const masterKey = loadMasterKey(resolve(keyPath));
      const lock = lockAround(store);
      try {
        const repository = await OfflineRepository.open(store, masterKey);
        if (options.list === true) await list(repository, options);
        else await restore(repository, options);
      } finally {
        lock.release();
      }
    });
}

/** One line of the list. Times are UTC. */
function rowOf(found: OfflineBackup) {
  const none = { parent: null, name: null, resource_id: null, resource: null, protected_at: null, size: null, stored: null };
  const ids = { id: found.backupId, project: found.tenant };
  if ("unreadable" in found) return { ...ids, ...none, status: found.keyDestroyed ? "key destroyed" : "unreadable", reason: found.unreadable };
  const { root } = found;
  const sizes = { size: root.sizeBytes, stored: root.statistics.storedBytes, status: "available", reason: null };
  const document = readDocument(root.document, { projectId: found.tenant, backupId: found.backupId });
  if (typeof document === "string") return { ...ids, ...none, ...sizes };
  const { backup } = document;
  const at = backup.protectedAt ?? backup.createdAt;
  return {
    ...ids,
    parent: backup.parentId,
    name: backup.name,
    resource_id: backup.resourceId,
    resource: backup.resourceName,
    protected_at: naiveUtc(at),
    ...sizes,
  };
}

async function list(repository: OfflineRepository, options: Options): Promise<void> {
  const rows: ReturnType<typeof rowOf>[] = [];
  for await (const found of repository.list(options.project)) rows.push(rowOf(found));
  rows.sort((a, b) => (a.protected_at ?? "").localeCompare(b.protected_at ?? "") || a.id.localeCompare(b.id));
  createOutput(options.json === true).answer({ repository: repository.repositoryId, backups: rows }, () =>
    formatTable(
      ["id", "project", "name", "resource", "time (UTC)", "size", "stored", "status"],
      rows.map((row) => [
        row.id,
        row.project,
        row.name,
        row.resource,
        row.protected_at,
        row.size === null ? null : formatBytes(row.size),
        row.stored === null ? null : formatBytes(row.stored),
        row.status,
      ]),
    ),
  );
}

async function restore(repository: OfflineRepository, options: Options): Promise<void> {
  const { backup: backupId = "", to } = options;
  if (to === undefined) throw new CommandError("name the file to write with --to", { exitCode: 2 });
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(backupId))
    throw new CommandError(`--backup ${backupId} is not the id of a backup`, { exitCode: 2 });
  const path = resolve(to);
  if (existsSync(path) && options.force !== true) throw new CommandError(`${path} exists: --force overwrites it`);
  const tenant = options.project ?? (await repository.find(backupId));
  if (tenant === undefined) throw new CommandError(await notFound(repository, backupId));
  const isJson = options.json === true;
  const bars = createBars(!isJson);
  const stopping = new AbortController();
  const onSignal = (): void => stopping.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const bar = bars.add(`restore ${backupId}`);
    let succeeded = false;
    try {
      const onProgress = (at: { phase: string; bytesDone: number; bytesTotal: number | null }): void =>
        bar.update(at.bytesDone, at.bytesTotal, undefined, at.phase);
      const outcome = await repository.restore(
        { tenant, backupId, path, allowHoles: options.allowHoles === true },
        { onProgress, signal: stopping.signal },
      );
      succeeded = true;
      const { sizeBytes, writtenBytes, durationMs, lost } = outcome;
      createOutput(isJson).answer(
        { restored: { backup: backupId, path, size: sizeBytes, written: writtenBytes, duration_ms: durationMs, lost } },
        () =>
          [
            `restored ${backupId} to ${path}: ${formatBytes(sizeBytes)}, of which ${formatBytes(writtenBytes)} are data`,
            ...lost.map(({ offset, length, reason }) => `lost, zeros instead: ${length} bytes at byte ${offset}: ${reason}`),
          ].join("\n"),
      );
    } finally {
      bar.finish(succeeded);
    }
  } finally {
    bars.stop();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

/** A server backup has no root object of its own: its disks have. */
async function notFound(repository: OfflineRepository, backupId: string): Promise<string> {
  const disks: string[] = [];
  for await (const found of repository.list()) if (rowOf(found).parent === backupId) disks.push(found.backupId);
  return disks.length === 0
    ? `there is no backup ${backupId} in the store`
    : `${backupId} is a server backup: restore its disks one by one: ${disks.join(", ")}`;
}
