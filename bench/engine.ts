/**
 * First backup, day 2, unchanged rescan and restore of one disk: the straight-line ceiling, this engine, restic; all in one run on one machine.
 * `node bench/engine.ts [--quick] [--runs N] [--only ceiling,engine,restic] [--chunk-kib N]`; table on the terminal, JSON in bench/work/engine.json.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeRestic } from "./restic.ts";
import { makeDisks, warm } from "./engine-disk.ts";
import type { Contender, RunOrder, RunResult } from "./engine-runs.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "3" },
    only: { type: "string", default: "ceiling,engine,restic" },
    "chunk-kib": { type: "string", default: "256" },
  },
});
const MIB = 1024 * 1024;
const phases = ["first", "day2", "unchanged", "restore"] as const;
const work = join(import.meta.dirname, "work");
mkdirSync(work, { recursive: true });
const disks = makeDisks(work, (values.quick ? 512 : 4096) * MIB);
const restic = describeRestic();
if (restic === undefined) process.stderr.write("restic is not installed: left out\n");
const contenders = values.only.split(",").filter((name) => name !== "restic" || restic !== undefined) as Contender[];
const runs = Object.fromEntries(contenders.map((name) => [name, [] as RunResult[]])) as Record<Contender, RunResult[]>;

for (let run = 0; run < Number(values.runs); run++) {
  for (const contender of contenders) {
    warm(disks.first);
    warm(disks.second);
    const order: RunOrder = {
      contender,
      first: disks.first,
      second: disks.second,
      folder: join(work, contender),
      chunkBytes: Number(values["chunk-kib"]) * 1024,
    };
    const output = execFileSync(process.execPath, [join(import.meta.dirname, "engine-runs.ts"), JSON.stringify(order)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const result = JSON.parse(output) as RunResult;
    if (!result.correct) throw new Error(`${contender} restored wrong bytes`);
    runs[contender].push(result);
    process.stderr.write(`run ${run + 1} ${contender}: ${phases.map((phase) => `${phase} ${(result[phase] / 1000).toFixed(2)} s`).join(", ")}\n`);
  }
}

const medians = Object.fromEntries(contenders.map((name) => [name, medianOf(runs[name])])) as Record<Contender, Omit<RunResult, "correct">>;
const report = {
  machine: { processor: cpus()[0]?.model, cores: cpus().length, memoryBytes: totalmem(), kernel: release(), node: process.version, load: loadavg() },
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", cwd: import.meta.dirname }).trim(),
  restic,
  disk: { ...disks, first: undefined, second: undefined },
  chunkBytes: Number(values["chunk-kib"]) * 1024,
  medians,
  runs,
};
writeFileSync(join(work, "engine.json"), `${JSON.stringify(report, undefined, 2)}\n`);
printTable();
if (contenders.includes("restic")) console.log(`\n${restic}`);

function printTable(): void {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  const rows = contenders.map((name) => {
    const { first, day2, unchanged, restore, storedFirst, storedDay2, cpuMs, peakRss } = medians[name];
    return [
      name,
      seconds(first),
      seconds(day2),
      seconds(unchanged),
      seconds(restore),
      seconds(cpuMs),
      ...[storedFirst, storedDay2, peakRss].map((bytes) => `${Math.round(bytes / 1e6)} MB`),
    ];
  });
  for (const other of ["ceiling", "restic"] as const) {
    const [mine, theirs] = [medians.engine, medians[other]];
    if (mine === undefined || theirs === undefined) continue;
    const ratio = (of: (result: Omit<RunResult, "correct">) => number): string => `${(of(mine) / of(theirs)).toFixed(2)}×`;
    rows.push([
      `engine / ${other}`,
      ...phases.map((phase) => ratio((result) => result[phase])),
      ratio((r) => r.cpuMs),
      ratio((r) => r.storedFirst),
      ratio((r) => r.storedDay2),
      ratio((r) => r.peakRss),
    ]);
  }
  const table = [
    ["", "first", "day 2, rescan", "unchanged, rescan", "restore", "processor", "stored", "stored after day 2", "peak RSS"],
    ["---", ...Array(8).fill("--:")],
    ...rows,
  ];
  console.log(
    `${disks.content}, ${disks.sizeBytes / MIB} MiB with ${Math.round(disks.dataBytes / 1e6)} MB of data, ` +
      `day 2: ${Math.round(disks.changedBytes / 1e6)} MB in ${disks.places} places`,
  );
  for (const row of table) console.log(`| ${row.join(" | ")} |`);
}

function medianOf(results: RunResult[]): Omit<RunResult, "correct"> {
  const median = (of: (result: RunResult) => number): number => results.map(of).sort((a, b) => a - b)[Math.floor(results.length / 2)]!;
  return {
    first: median((r) => r.first),
    day2: median((r) => r.day2),
    unchanged: median((r) => r.unchanged),
    restore: median((r) => r.restore),
    storedFirst: median((r) => r.storedFirst),
    storedDay2: median((r) => r.storedDay2),
    cpuMs: median((r) => r.cpuMs),
    peakRss: median((r) => r.peakRss),
  };
}
