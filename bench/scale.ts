/**
 * Whether time and memory follow the data, not the disk: `node bench/scale.ts changes|day2|sparse|concurrent`, each in a process of its own. Prints
 * Markdown.
 *
 * - `changes`: increments of 0.1 %, 1 % and 10 % of 1 GiB of data, told by a list of changed extents and found by rescan, on disks of 4 and 64 GiB.
 * - `day2`: the second day of the 4 GiB disk of bench/engine.ts, told by a list of the blocks that differ.
 * - `sparse`: disks of 64 GiB, 2 TiB and 8 TiB with 1 GiB of data in 64 places. bench/million.ts is for much data and many chunks.
 * - `concurrent`: four backups of 512 MiB each at once, and four restores.
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Extent } from "../src/sources/source.ts";
import { generator, makeDisks } from "./engine-disk.ts";
import { backup, conditions, measured, megabytes, MIB, openEngine, row, seconds } from "./measure.ts";

const part = process.argv[2];
const work = join(import.meta.dirname, "work", `scale-${part}`);
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });

const piece = Buffer.alloc(MIB);

/** A sparse disk with `places` runs of data at even distances, half random, half repeated bytes. */
function makeDisk(name: string, sizeBytes: number, dataBytes: number, places: number): { path: string; data: Extent[] } {
  const path = join(work, name);
  const fd = openSync(path, "w");
  ftruncateSync(fd, sizeBytes);
  const length = dataBytes / places;
  const data = Array.from({ length: places }, (_, n) => ({ offset: Math.floor((sizeBytes / places) * n), length }));
  for (const { offset } of data) {
    for (let at = 0; at < length; at += MIB) {
      randomFillSync(piece, 0, MIB / 2);
      piece.fill(randomBytes(64), MIB / 2);
      writeSync(fd, piece, 0, MIB, offset + at);
    }
  }
  closeSync(fd);
  return { path, data };
}

/** Overwrites so much of the data, in blocks of 256 KiB at random places; tells where. */
function change(path: string, data: Extent[], bytes: number, seed: number): Extent[] {
  const random = generator(seed);
  const fd = openSync(path, "r+");
  const changed: Extent[] = [];
  for (let left = bytes; left > 0; left -= MIB / 4) {
    const { offset, length } = data[Math.floor(random() * data.length)]!;
    const extent = { offset: offset + Math.floor((random() * length) / (MIB / 4)) * (MIB / 4), length: MIB / 4 };
    writeSync(fd, randomBytes(extent.length), 0, extent.length, extent.offset);
    changed.push(extent);
  }
  closeSync(fd);
  return changed;
}

const peak = (): string => `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`;

async function changes(): Promise<void> {
  console.log(row("disk", "changed", "by list, processor", "by list, wall", "read", "by rescan, processor", "by rescan, wall", "read"));
  console.log(row("--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"));
  for (const gib of [4, 64]) {
    const { path, data } = makeDisk("disk", gib * 1024 * MIB, 1024 * MIB, 64);
    const folder = join(work, "repository");
    mkdirSync(folder);
    const engine = await openEngine(folder);
    for (const tenant of ["list", "scan"]) await backup(engine, path, { tenant, backupId: "base" });
    for (const [n, share] of [0.001, 0.01, 0.1].entries()) {
      const changedExtents = change(path, data, 1024 * MIB * share, n);
      const increment = { backupId: `day-${n}`, baseId: n === 0 ? "base" : `day-${n - 1}` };
      const list = await measured(() => backup(engine, path, { tenant: "list", ...increment, changedExtents }));
      if (list.result.changeList !== "used") throw new Error("the list was not used");
      const scan = await measured(() => backup(engine, path, { tenant: "scan", ...increment }));
      const cells = [list, scan].flatMap(({ cpuMs, wallMs, result }) => [seconds(cpuMs), seconds(wallMs), megabytes(result.readBytes)]);
      console.log(row(`${gib} GiB`, `${share * 100} %`, ...cells));
    }
    await engine.close();
    rmSync(folder, { recursive: true });
  }
}

/** Blocks of 4 KiB in which two files of one size differ. */
function differences(one: string, other: string, sizeBytes: number): Extent[] {
  const fds = [openSync(one, "r"), openSync(other, "r")] as const;
  const [first, second] = [Buffer.alloc(MIB), Buffer.alloc(MIB)];
  const found: Extent[] = [];
  for (let offset = 0; offset < sizeBytes; offset += MIB) {
    readSync(fds[0], first, 0, MIB, offset);
    readSync(fds[1], second, 0, MIB, offset);
    if (first.equals(second)) continue;
    for (let at = 0; at < MIB; at += 4096)
      if (first.compare(second, at, at + 4096, at, at + 4096) !== 0) found.push({ offset: offset + at, length: 4096 });
  }
  for (const fd of fds) closeSync(fd);
  return found;
}

async function day2(): Promise<void> {
  const { first, second, sizeBytes } = makeDisks(join(import.meta.dirname, "work"), 4096 * MIB);
  const changedExtents = differences(first, second, sizeBytes);
  const engine = await openEngine(work);
  for (const tenant of ["list", "scan"]) await backup(engine, first, { tenant, backupId: "day1" });
  const increment = { backupId: "day2", baseId: "day1" };
  console.log(row("day 2", "processor", "wall", "read"));
  console.log(row("---", "--:", "--:", "--:"));
  for (const [tenant, more] of [
    ["list", { changedExtents }],
    ["scan", {}],
  ] as const) {
    const { cpuMs, wallMs, result } = await measured(() => backup(engine, second, { tenant, ...increment, ...more }));
    console.log(row(`by ${tenant}`, seconds(cpuMs), seconds(wallMs), megabytes(result.readBytes)));
  }
  await engine.close();
}

async function sparse(): Promise<void> {
  console.log(row("disk", "first, processor", "wall", "rescan, processor", "wall", "restore, processor", "wall", "peak RSS so far"));
  console.log(row("--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"));
  for (const gib of [64, 2048, 8192]) {
    const { path } = makeDisk("disk", gib * 1024 * MIB, 1024 * MIB, 64);
    const folder = join(work, "repository");
    mkdirSync(folder);
    const engine = await openEngine(folder);
    const target = { kind: "file" as const, path: join(work, "restored") };
    const steps = [
      await measured(() => backup(engine, path, { backupId: "first" })),
      await measured(() => backup(engine, path, { backupId: "rescan", baseId: "first" })),
      await measured(() => engine.restore({ tenant: "bench", backupId: "rescan", target, sizeBytes: gib * 1024 * MIB }, {})),
    ];
    console.log(row(`${gib} GiB`, ...steps.flatMap(({ cpuMs, wallMs }) => [seconds(cpuMs), seconds(wallMs)]), peak()));
    await engine.close();
    for (const name of [folder, path, target.path]) rmSync(name, { recursive: true });
  }
}

async function concurrent(): Promise<void> {
  const engine = await openEngine(work);
  const disks = [1, 2, 3, 4].map((n) => ({ id: `backup-${n}`, ...makeDisk(`disk-${n}`, 1024 * MIB, 512 * MIB, 16) }));
  const before = peak();
  const backups = await measured(() => Promise.all(disks.map(({ id, path }) => backup(engine, path, { backupId: id }))));
  const afterBackups = peak();
  const restores = await measured(() =>
    Promise.all(
      disks.map(({ id, path }) =>
        engine.restore({ tenant: "bench", backupId: id, target: { kind: "file", path: `${path}.restored` }, sizeBytes: 1024 * MIB }, {}),
      ),
    ),
  );
  await engine.close();
  const durations = backups.result.map(({ durationMs }) => durationMs);
  console.log(row("four at once, 512 MiB of data each", "processor", "wall", "peak RSS so far"));
  console.log(row("---", "--:", "--:", "--:"));
  console.log(row("before", "", "", before));
  console.log(row("backups", seconds(backups.cpuMs), seconds(backups.wallMs), afterBackups));
  console.log(row("restores", seconds(restores.cpuMs), seconds(restores.wallMs), peak()));
  console.log(`\nThe first of the four backups took ${seconds(Math.min(...durations))}, the last ${seconds(Math.max(...durations))}.`);
}

const parts: Record<string, () => Promise<void>> = { changes, day2, sparse, concurrent };
const chosen = parts[part ?? ""];
if (chosen === undefined) throw new Error("say which part: changes, day2, sparse or concurrent");
console.log(`${conditions()}\n`);
try {
  await chosen();
} finally {
  rmSync(work, { recursive: true, force: true });
}
