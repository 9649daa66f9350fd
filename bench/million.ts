/**
 * A sparse disk of 2 TiB with 20 GiB of data, in a repository of more than a million chunks, each of them stored by a backup:
 * `node bench/million.ts [GIB]`. Chunks of 64 KiB, the smallest there are. Needs twice the data and some 10 GiB of space. Prints Markdown.
 *
 * A quarter of the data is random, the rest compresses well. Each day seven eighths of it are written anew, until a million chunks are stored; then
 * all but the last two backups are deleted and collected, the packs of which an eighth is left are compacted, and the last backup is restored and
 * compared with the disk.
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Extent } from "../src/sources/source.ts";
import { backup, conditions, measured, megabytes, MIB, openEngine, row, seconds } from "./measure.ts";

const dataBytes = Number(process.argv[2] ?? 20) * 1024 * MIB;
const sizeBytes = 2048 * 1024 * MIB;
const chunkBytes = 64 * 1024;
const wantedChunks = 1_000_000 * (dataBytes / (20 * 1024 * MIB));
const places = 64;
const work = join(import.meta.dirname, "work", "million");
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
const path = join(work, "disk");
const target = join(work, "restored");

const length = Math.floor(dataBytes / places / MIB) * MIB;
const data: Extent[] = Array.from({ length: places }, (_, n) => ({ offset: Math.floor(sizeBytes / places / MIB) * MIB * n, length }));
const piece = Buffer.alloc(MIB);

/** Writes the disk: all of it, or on a later day seven of each eight chunks. */
function writeDay(day: number): void {
  const fd = openSync(path, day === 1 ? "w" : "r+");
  if (day === 1) ftruncateSync(fd, sizeBytes);
  for (const { offset } of data) {
    for (let at = 0; at < length; at += MIB) {
      const kept = day === 1 ? 0 : 2 * chunkBytes;
      if (day === 1 && at % (4 * MIB) === 0) randomFillSync(piece);
      else for (let chunk = kept; chunk < MIB; chunk += chunkBytes) piece.fill(randomBytes(64), chunk, chunk + chunkBytes);
      writeSync(fd, piece, kept, MIB - kept, offset + at + kept);
    }
  }
  closeSync(fd);
}

/** Whether the restored disk has the source's data at its places. */
function isSame(): boolean {
  const [source, restored] = [openSync(path, "r"), openSync(target, "r")];
  const other = Buffer.alloc(MIB);
  let same = true;
  for (const { offset } of data)
    for (let at = 0; at < length && same; at += MIB) {
      readSync(source, piece, 0, MIB, offset + at);
      readSync(restored, other, 0, MIB, offset + at);
      same = piece.equals(other);
    }
  closeSync(source);
  closeSync(restored);
  return same;
}

/** Forgets the process's peak so far (Linux). */
const forgetPeak = (): void => writeFileSync("/proc/self/clear_refs", "5");
const peak = (): string => `${(Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024).toFixed(0)} MiB`;

/** Does one thing and prints its row. */
async function step<T>(name: string, work: () => Promise<T>, tell: (result: T) => string = () => ""): Promise<T> {
  forgetPeak();
  const { cpuMs, wallMs, result } = await measured(work);
  console.log(row(name, seconds(cpuMs), seconds(wallMs), peak(), tell(result)));
  return result;
}

console.log(`${conditions()}\n`);
try {
  writeDay(1);
  const engine = await openEngine(work);
  console.log(row(`2 TiB, ${dataBytes / 1024 / MIB} GiB of data`, "processor", "wall", "peak RSS", ""));
  console.log(row("---", "--:", "--:", "--:", "---"));
  console.log(row("engine opened", "", "", peak(), ""));
  const backUp = (backupId: string, baseId?: string, more = {}) => backup(engine, path, { backupId, chunkBytes, ...(baseId && { baseId }), ...more });
  const stored = (result: { newChunks: number; storedBytes: number }): string =>
    `${result.newChunks} chunks stored, ${megabytes(result.storedBytes)}`;
  let { newChunks: chunks } = await step("first backup", () => backUp("day-1"), stored);
  await step("unchanged, rescan", () => backUp("rescan", "day-1"), stored);
  let day = 1;
  for (; chunks < wantedChunks; day++) {
    writeDay(day + 1);
    chunks += (await step(`day ${day + 1}, by rescan`, () => backUp(`day-${day + 1}`, `day-${day}`), stored)).newChunks;
  }
  await step(`unchanged, rescan, ${chunks} chunks in the index`, () => backUp("again", `day-${day}`), stored);
  await step("unchanged, empty list", () => backUp("list", "again", { changedExtents: [] }), stored);
  await step(
    "check, structure",
    () => engine.check({ tenant: "bench", nowUs: Date.now() * 1000 }, {}),
    (found) => `${found.backups} backups, ${found.findingCount} findings`,
  );
  for (const id of ["rescan", ...Array.from({ length: day - 1 }, (_, n) => `day-${n + 1}`)]) await engine.deleteRoot("bench", id);
  const policy = { tenant: "bench", dryRun: false, graceUs: 0, maxCondemnRatio: 1, compactBelowRatio: 0.5, orphanUs: 0 };
  for (const turn of [1, 2, 3])
    await step(
      `collect, turn ${turn}`,
      () => engine.collect(policy, {}),
      ({ done, freedBytes, plan }) =>
        plan.stopped ?? `${done.condemned} packs condemned, ${done.compacted} compacted, ${done.deleted} deleted, ${megabytes(freedBytes)} freed`,
    );
  await step(
    "restore",
    () => engine.restore({ tenant: "bench", backupId: "list", target: { kind: "file", path: target }, sizeBytes }, {}),
    (result) => `${megabytes(result.writtenBytes)} written`,
  );
  await engine.close();
  if (!isSame()) throw new Error("the restored disk differs");
  console.log("\nThe restored disk is the source, byte for byte.");
} finally {
  rmSync(work, { recursive: true, force: true });
}
