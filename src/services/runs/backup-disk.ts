import { stat } from "node:fs/promises";
import type { Backup } from "#model/backup.ts";
import type { Checkpoint } from "#model/checkpoint.ts";
import { DomainError } from "#model/errors.ts";
import type { TimestampUs } from "#model/ids.ts";
import type { Resource, Volume } from "#model/resource.ts";
import type { Vault, VaultResource } from "#model/vault.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { BackupOutcome, RootDescription } from "#repository/engine-types.ts";
import type { Extent } from "#sources/source.ts";
import type { Context } from "../context.ts";
import { readDocument } from "../rebuild/readDocument.ts";
import { isLocal, localPath, pathOf, storageSnapshotPath } from "../support/paths.ts";
import { changesOf } from "../support/volume-changes.ts";
import { cloneFile } from "../support/volume-files.ts";
import type { SealedDisk } from "./failBackup.ts";
import type { RunControl } from "./run.ts";

/** What is sealed into a root object, so that the catalog can be rebuilt from the store alone. */
export interface BackupDocument {
  backup: Backup;
  /** The server backup around it. */
  parent: Backup | null;
  /** Every disk backup of that server backup as it was when the run began, in device order; else empty. */
  siblings: Backup[];
  vault: Vault | null;
  /** What the vault protects, in the order of binding. */
  bindings: VaultResource[];
  resource: Resource;
  /** The server, when the disk was backed up with it. */
  server: Resource | null;
  checkpoint: Checkpoint | null;
  /** The backup's snapshot is the user's own: it was read instead of the volume. */
  fromSnapshot: boolean;
  /** Stands for the moment that the bytes are of, in the volume's change record; null when nothing records its changes. */
  changeToken: string | null;
}

/** When the root object of a backup was sealed, from what its document and its statistics say. */
export const sealedAtOf = (document: Pick<BackupDocument, "backup">, statistics: { durationMs: number }): TimestampUs =>
  (document.backup.updatedAt ?? document.backup.createdAt) + statistics.durationMs * 1000;

export interface DiskRun {
  context: Context;
  backup: Backup;
  volume: Volume;
  surroundings: Omit<BackupDocument, "backup" | "resource" | "fromSnapshot" | "changeToken">;
  incremental: boolean;
  /** Read this snapshot of the user's instead of the volume. */
  snapshotId: string | null;
  /** When that snapshot was made. */
  snapshotAtUs: number | null;
  control: Omit<RunControl, "latest">;
}

export interface DiskResult {
  sealed: SealedDisk;
  incremental: boolean;
  /** Whether only what the volume's change record tells was read, and why not. */
  changeList: BackupOutcome["changeList"];
  changeListReason: string | null;
  warnings: string[];
}

interface Base {
  backup: Backup;
  root: RootDescription;
}

/** Where the bytes are read, and what instant they are of. */
interface Frozen {
  path: string;
  /** Of the storage snapshot or the user's own; null when the disk itself is read. */
  snapshotId: string | null;
  atUs: number;
  /** Of this moment, in the volume's change record. */
  changeToken: string | null;
  /** What may have changed since the base, or why that is not known. */
  changes: Extent[] | string;
}

/** A disk whose bytes are frozen where they can be: what there is to read, and what to compare it with. */
export interface FrozenDisk {
  base: Base | undefined;
  frozen: Frozen;
  warnings: string[];
}

/**
 * Chooses what each disk is compared with, then freezes all of them at once, so that the disks of a server are of one instant. What fails is told of
 * that disk. The storage snapshots are on the rows when this returns.
 */
export async function freezeDisks(context: Context, runs: readonly DiskRun[]): Promise<PromiseSettledResult<FrozenDisk>[]> {
  const prepared = await Promise.allSettled(
    runs.map(async (run) => {
      const warnings: string[] = [];
      return { base: run.incremental ? await findBase(run, warnings) : undefined, warnings };
    }),
  );
  const disks = await Promise.allSettled(
    runs.map(async (run, index) => {
      const outcome = prepared[index]!;
      if (outcome.status === "rejected") throw outcome.reason;
      return { ...outcome.value, frozen: await freeze(run, outcome.value.base) };
    }),
  );
  await context.catalog.transaction(async (tables) => {
    for (const [index, disk] of disks.entries()) {
      const { projectId, id } = runs[index]!.backup;
      const isWaiting = (await tables.backups.get(projectId, id))?.status === "waiting_protect";
      if (disk.status === "fulfilled" && isWaiting) await tables.backups.update(id, { snapshotId: disk.value.frozen.snapshotId });
    }
  });
  return disks;
}

/** Whether what is read cannot change any more: it is a snapshot, or a volume of ours, which nobody writes while it is backed up. */
export const isOfOneInstant = ({ volume }: Pick<DiskRun, "volume">, { frozen }: FrozenDisk): boolean =>
  frozen.snapshotId !== null || isLocal(volume.locator);

/**
 * Backs up one frozen disk: reads, and seals the root object. The row is `protecting` meanwhile; making it available is the caller's commit.
 */
export async function backupDisk(run: DiskRun, { frozen, warnings, ...chosen }: FrozenDisk): Promise<DiskResult> {
  const { context, backup, control } = run;
  let { base } = chosen;
  const sizeBefore = await sizeOf(frozen.path);
  for (;;) {
    const prepared = await markProtecting(run, frozen, base?.backup);
    if (prepared.baseId === null) base = undefined;
    const document = documentOf(run, frozen, { ...prepared, protectedAt: frozen.atUs });
    try {
      const outcome = await context.engine.backup(
        {
          tenant: backup.projectId,
          backupId: backup.id,
          source: { kind: "file", path: frozen.path },
          ...(base === undefined ? {} : { baseId: base.backup.id }),
          ...(base === undefined || typeof frozen.changes === "string" ? {} : { changedExtents: frozen.changes }),
          document,
          chunkBytes: base?.root.chunkBytes ?? context.settings.chunkBytes,
          compressionLevel: context.settings.compressionLevel,
        },
        { signal: control.signal, onProgress: (progress) => control.progress(progress) },
      );
      if (outcome.changedWhileRead) warnings.push("The source was written while it was read: the image is not of one instant.");
      if (outcome.changeList === "refused") warnings.push(await distrustChanges(run));
      const changeListReason = outcome.changeList === "none" && typeof frozen.changes === "string" ? frozen.changes : null;
      const statistics = statisticsOf(outcome);
      const sealedAt = sealedAtOf(document, statistics);
      const sealed = { backupId: backup.id, rootKey: outcome.rootKey, protectedAt: frozen.atUs, sealedAt, statistics };
      return { sealed, incremental: base !== undefined, changeList: outcome.changeList, changeListReason, warnings };
    } catch (error) {
      if (base !== undefined && isBaseUnusable(error)) {
        warnings.push(`Backup ${base.backup.id} could not be compared with (${error.code}): a full backup was made.`);
        context.log.warn({ err: error, backupId: backup.id, baseId: base.backup.id }, "the base of an incremental backup is unusable");
        base = undefined;
        continue;
      }
      throw error instanceof RepositoryError && error.code === "sourceShrunk" ? await shrunk(frozen.path, sizeBefore, error) : error;
    }
  }
}

/** The newest available backup of the volume, with its root: an incremental keeps its chunk size. */
async function findBase(run: DiskRun, warnings: string[]): Promise<Base | undefined> {
  const { context, backup } = run;
  const newest = await context.catalog.backups.newestBase(backup.projectId, backup.resourceId, run.snapshotAtUs ?? undefined);
  if (newest === undefined) return undefined;
  try {
    const root = await context.engine.readRoot(backup.projectId, newest.id);
    if (root !== undefined) return { backup: newest, root };
    warnings.push(`Backup ${newest.id} has lost its root object: a full backup was made.`);
  } catch (error) {
    if (!isBaseUnusable(error)) throw error;
    warnings.push(`Backup ${newest.id} could not be compared with (${error.code}): a full backup was made.`);
  }
  context.log.warn({ backupId: backup.id, baseId: newest.id }, "the newest backup cannot serve as a base");
  return undefined;
}

const isBaseUnusable = (error: unknown): error is RepositoryError =>
  error instanceof RepositoryError && ["missingRoot", "corruptRoot", "corruptPage", "baseNotComparable"].includes(error.code);

/**
 * Freezes the bytes where the file system can. Of a volume of ours it tells what has changed since the base, and marks the moment for the next
 * backup.
 */
async function freeze(run: DiskRun, base: Base | undefined): Promise<Frozen> {
  const { context, volume } = run;
  if (run.snapshotId !== null) {
    const atUs = run.snapshotAtUs ?? context.clock.nowUs();
    const path = localPath(context.settings, run.snapshotId);
    return {
      path,
      snapshotId: run.snapshotId,
      atUs,
      changeToken: null,
      changes: "A snapshot was read: what has changed is only recorded of volumes.",
    };
  }
  if (!isLocal(volume.locator)) {
    const changes = "The volume is a file of the operator's: what changes it is not recorded.";
    return { ...(await freezeBytes(run)), changeToken: null, changes };
  }
  const since = base === undefined ? null : changeTokenOf(base);
  const { token, changed, taken } = await changesOf(context, volume.id).freeze({
    token: context.random.uuid(),
    ...(since === null ? {} : { since }),
    take: () => freezeBytes(run),
  });
  const unknown =
    base === undefined
      ? "There was no backup to compare with."
      : `The volume's change record does not reach back to backup ${base.backup.id}, or the volume was changed past it.`;
  return { ...taken, changeToken: token ?? null, changes: changed ?? unknown };
}

function changeTokenOf({ backup, root }: Base): string | null {
  const document = readDocument(root.document, { projectId: backup.projectId, backupId: backup.id });
  return typeof document === "string" ? null : document.changeToken;
}

/** What the record calls unchanged has changed: nothing that it says is believed any more. Tells the warning. */
async function distrustChanges({ context, backup, volume }: DiskRun): Promise<string> {
  context.log.warn({ backupId: backup.id, volumeId: volume.id }, "the change record of a volume is wrong: it is dropped");
  await changesOf(context, volume.id).replace(() => Promise.resolve());
  return "Something that the volume's change record calls unchanged has changed: all of it was read, and the record begins anew.";
}

async function freezeBytes(run: DiskRun): Promise<Pick<Frozen, "path" | "snapshotId" | "atUs">> {
  const { context, volume } = run;
  const path = await pathOf(context.settings, volume.locator);
  const snapshotId = context.random.uuid();
  const frozen = storageSnapshotPath(context.settings, run.backup, snapshotId);
  const atUs = context.clock.nowUs();
  const cloned = await (context.clone ?? cloneFile)(path, frozen).catch((error: unknown) => {
    context.log.debug({ err: error, volumeId: volume.id }, "no storage snapshot could be taken");
    return false;
  });
  return cloned ? { path: frozen, snapshotId, atUs } : { path, snapshotId: null, atUs };
}

/** Moves the row to `protecting` with its base, unless that base is no longer available. Tells the row. */
async function markProtecting(run: DiskRun, frozen: Frozen, base: Backup | undefined): Promise<Backup> {
  const { context, backup } = run;
  return context.catalog.transaction(async (tables) => {
    const current = base === undefined ? undefined : await tables.backups.get(backup.projectId, base.id);
    const usable = current?.status === "available" || current?.status === "restoring" || current?.status === "waiting_restore" ? current : undefined;
    const patch = {
      baseId: usable?.id ?? null,
      chainId: usable?.chainId ?? backup.id,
      incremental: usable !== undefined,
      snapshotId: frozen.snapshotId,
      updatedAt: context.clock.nowUs(),
    };
    if (!(await tables.backups.transition(backup.id, "protecting", patch, ["waiting_protect"]))) await tables.backups.update(backup.id, patch);
    return { ...backup, ...patch, status: "protecting" as const };
  });
}

const documentOf = (run: DiskRun, { changeToken }: Frozen, backup: Backup): BackupDocument => ({
  ...run.surroundings,
  backup: { ...backup, status: "available", progress: 100 },
  resource: run.volume,
  fromSnapshot: run.snapshotId !== null,
  changeToken,
});

/** Of an outcome, or of what a root object repeats of it. */
export function statisticsOf(outcome: SealedDisk["statistics"]): SealedDisk["statistics"] {
  return {
    readBytes: outcome.readBytes,
    dataBytes: outcome.dataBytes,
    newBytes: outcome.newBytes,
    storedBytes: outcome.storedBytes,
    unchangedBytes: outcome.unchangedBytes,
    deduplicatedBytes: outcome.deduplicatedBytes,
    newChunks: outcome.newChunks,
    objectCount: outcome.objectCount,
    compressed: outcome.compressed,
    durationMs: outcome.durationMs,
  };
}

const sizeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    (stats) => stats.size,
    () => undefined,
  );

async function shrunk(path: string, sizeBefore: number | undefined, cause: unknown): Promise<DomainError> {
  const sizeAfter = await sizeOf(path);
  const less = sizeBefore !== undefined && sizeAfter !== undefined && sizeAfter < sizeBefore ? `${sizeBefore - sizeAfter} bytes ` : "";
  return new DomainError("sourceUnavailable", `The source file is ${less}shorter than when the backup began.`, { cause });
}
