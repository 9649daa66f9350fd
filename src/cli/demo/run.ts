import { closeSync, openSync, rmSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "#platform/random.ts";
import type { Extent } from "#sources/source.ts";
import { runBackups, showBackupIn } from "../support/backups.ts";
import type { Bars } from "../support/bars.ts";
import type { Client } from "../support/client.ts";
import { CommandError } from "../support/errors.ts";
import { formatBytes } from "../support/format.ts";
import { untilGone } from "../support/gone.ts";
import { restoreToNewVolume } from "../support/restore.ts";
import { eachOf, exportVolume, gib, importVolume } from "../support/transfer.ts";
import type { WireVault, WireVolume } from "../support/wire.ts";
import { createVault } from "../vault/create.ts";
import { dataExtentsOf, pickChanges } from "./change.ts";
import { sha256Of } from "./digest.ts";
import type { DemoDisk } from "./image.ts";
import type { BackupReport, DemoReport, RestoreReport, RunFigures } from "./report.ts";

export interface DemoParts {
  client: Client;
  bars: Bars;
  random: Random;
  disk: DemoDisk;
  /** Folder for exported disks. */
  folder: string;
  note: (text: string) => void;
  /** What the service holds of ours, to be deleted at the end whatever happens. */
  made: { volumeIds: string[]; vaultIds: string[] };
}

const share = 0.02;

/** The main job, end to end; the report says whether both restores were the same bytes. */
export async function runDemo(parts: DemoParts): Promise<Omit<DemoReport, "service">> {
  const { client, bars, disk, note, made, random } = parts;
  const suffix = Buffer.from(random.bytes(3)).toString("hex");
  const extents = dataExtentsOf(disk.path);
  const dataBytes = extents.reduce((sum, extent) => sum + extent.length, 0);
  note(`Disk: ${disk.origin}, ${formatBytes(disk.sizeBytes)}, of it ${formatBytes(dataBytes)} allocated.`);
  const { volume } = await importVolume(client, disk, `demo-disk-${suffix}`, bars.add("import"));
  made.volumeIds.push(volume.id);
  const vault = await createVault(client, `demo-vault-${suffix}`, "disk", Math.max(100, volume.size * 3), [volume.id]);
  made.vaultIds.push(vault.id);
  note(`Volume ${volume.id} of ${volume.size} GiB; vault ${vault.id}.`);
  // A volume is a whole number of GiB: what is compared is all of it, the hole behind the image included.
  truncateSync(disk.path, volume.size * gib);

  const before = await sha256Of(disk.path);
  const first = await backUp(parts, vault.id, `demo-first-${suffix}`);
  const changes = pickChanges(extents, share, random);
  await applyChanges(parts, volume, changes);
  const after = await sha256Of(disk.path);
  const changedBytes = changes.reduce((sum, change) => sum + change.length, 0);
  note(`Changed ${formatBytes(changedBytes)} in ${changes.length} places.`);
  const second = await backUp(parts, vault.id, `demo-second-${suffix}`);

  const [cbr, vbs3, vbs2] = await Promise.all([
    showBackupIn(client, "cbr", second.id),
    showBackupIn(client, "vbs3", second.id),
    showBackupIn(client, "vbs2", second.id),
  ]);
  for (const [name, answer] of [
    ["CBR v3", cbr],
    ["VBS v3", vbs3],
    ["VBS v2", vbs2],
  ] as const)
    note(`\nShowBackup, ${name}:\n${JSON.stringify(answer, null, 2)}`);
  note("");

  const restores = [
    await restoreAndCompare(parts, first, before, `demo-restored-1-${suffix}`),
    await restoreAndCompare(parts, second, after, `demo-restored-2-${suffix}`),
  ];
  return {
    image: { origin: disk.origin, size_bytes: disk.sizeBytes, data_bytes: dataBytes, changed_bytes: changedBytes, changed_places: changes.length },
    backups: [first, second],
    show_backup: { cbr, vbs3, vbs2 },
    restores,
    equal: restores.every((restore) => restore.equal),
  };
}

async function backUp({ client, bars }: DemoParts, vaultId: string, name: string): Promise<BackupReport> {
  const [backup, ...more] = await runBackups(client, { vaultId, name }, bars);
  if (backup === undefined || more.length > 0)
    throw new CommandError(`the run made ${more.length + (backup === undefined ? 0 : 1)} backups instead of one`);
  if (backup.status !== "available") throw new CommandError(`backup ${backup.id} is in status ${backup.status}`);
  const { statistics } = await client.own<{ statistics: RunFigures }>("GET", `backups/${backup.id}/stats`);
  return { id: backup.id, incremental: backup.extend_info.incremental, figures: statistics };
}

/** Writes fresh random bytes at the places, in the file and in the volume alike. */
async function applyChanges({ client, bars, disk, random }: DemoParts, volume: WireVolume, changes: readonly Extent[]): Promise<void> {
  const bar = bars.add("change 2 %");
  const file = openSync(disk.path, "r+");
  let done = 0;
  try {
    await eachOf(changes, async ({ offset, length }) => {
      const bytes = random.bytes(length);
      writeSync(file, bytes, 0, length, offset);
      await client.writePiece(volume.id, offset, bytes, volume.size * gib);
      done += length;
      bar.update(done, changes.length * (changes[0]?.length ?? 0));
    });
  } finally {
    closeSync(file);
  }
  bar.finish();
}

async function restoreAndCompare(parts: DemoParts, backup: BackupReport, expected: string, name: string): Promise<RestoreReport> {
  const { client, bars, made, folder } = parts;
  const startedMs = performance.now();
  const { volume } = await restoreToNewVolume(client, backup.id, { name }, bars);
  const seconds = (performance.now() - startedMs) / 1000;
  made.volumeIds.push(volume.id);
  const path = join(folder, `${name}.raw`);
  try {
    const { writtenBytes } = await exportVolume(client, volume.id, path, bars.add(`export ${name}`));
    const sha256 = await sha256Of(path);
    return {
      backup_id: backup.id,
      volume_id: volume.id,
      bytes: writtenBytes,
      seconds,
      sha256,
      expected_sha256: expected,
      equal: sha256 === expected,
    };
  } finally {
    rmSync(path, { force: true });
  }
}

/** Deletes what the demo made, vaults (with their backups) first; what cannot be deleted is told, not thrown. */
export async function removeMade({ client, made, note }: Pick<DemoParts, "client" | "made" | "note">): Promise<void> {
  const remove = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      note(`${what} could not be deleted: ${(error as Error).message}`);
    }
  };
  for (const id of made.vaultIds)
    await remove(`vault ${id}`, async () => {
      await client.cbr("DELETE", `vaults/${id}`);
      await untilGone(
        `vault ${id}`,
        () => client.cbr<{ vault: WireVault }>("GET", `vaults/${id}`),
        ({ vault }) => vault.billing.status,
      );
    });
  for (const id of made.volumeIds) await remove(`volume ${id}`, () => client.volume("DELETE", `volumes/${id}`));
}
