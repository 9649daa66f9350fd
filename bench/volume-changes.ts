/**
 * Increments of a volume of our own through the whole service but HTTP: `node bench/volume-changes.ts`. What was written is known from its change
 * record; without it (its file is removed) all that is allocated is read. Prints Markdown.
 */
import { rmSync } from "node:fs";
import { createVolumeBackup } from "../src/services/backups/createVolumeBackup.ts";
import { showBackup } from "../src/services/backups/showBackup.ts";
import { changeLogPath } from "../src/services/support/paths.ts";
import { showTask } from "../src/services/tasks/showTask.ts";
import { createVolume } from "../src/services/volumes/createVolume.ts";
import { writeVolumeRange } from "../src/services/volumes/writeVolumeRange.ts";
import { makeWorld, noise } from "../test/support/world.ts";
import { conditions, measured, megabytes, MIB, row, seconds } from "./measure.ts";

const block = MIB / 4;
const dataBytes = 1024 * MIB;
/** Runs of data, one at the beginning of each GiB. */
const places = 64;

console.log(conditions());
const world = await makeWorld();
const { context } = world;
context.settings.chunkBytes = block;
const caller = await world.newCaller();
const { id: volumeId } = await createVolume(context, caller, { sizeGib: places });
const placeOf = (at: number): number => Math.floor(at / (dataBytes / places)) * 1024 * MIB + (at % (dataBytes / places));
const write = (at: number, bytes: Uint8Array): Promise<void> => writeVolumeRange(context, caller, { volumeId, offset: placeOf(at), bytes });

async function backUp(incremental: boolean) {
  const { cpuMs, result: made } = await measured(async () => {
    const { backup } = await createVolumeBackup(context, caller, { volumeId, incremental });
    await world.runAll();
    return (await showBackup(context, caller, { backupId: backup.id })).backup;
  });
  const { result } = await showTask(context, caller, { taskId: made.taskId! });
  return { cpuMs, wallMs: made.statistics!.durationMs, readBytes: made.statistics!.readBytes, changeList: String(result["changeList"]) };
}

for (let at = 0; at < dataBytes; at += 8 * MIB) await write(at, noise(8 * MIB, at / MIB));
await backUp(false);
console.log(row("changed", "change record", "processor", "wall", "read"));
console.log(row("--:", "---", "--:", "--:", "--:"));
for (const share of [0.001, 0.01, 0.1]) {
  for (const isRecorded of [true, false]) {
    const blocks = Math.round((dataBytes * share) / block);
    for (let n = 0; n < blocks; n++)
      await write(Math.floor((n * dataBytes) / block / blocks) * block, noise(block, 1e6 * share + n + (isRecorded ? 1e7 : 2e7)));
    if (!isRecorded) rmSync(changeLogPath(context.settings, volumeId));
    const { cpuMs, wallMs, readBytes, changeList } = await backUp(true);
    console.log(row(`${share * 100} %`, changeList, seconds(cpuMs), seconds(wallMs), megabytes(readBytes)));
  }
}
await world.close();
