/** One contender's run over both disks, in a process of its own so that its memory can be told. Prints one line of JSON. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { startEngine } from "../src/repository/engine.ts";
import { ceilingBackup, ceilingRestore } from "./ceiling.ts";
import { treeBytes } from "./engine-sizes.ts";
import { resticProgram, resticSparse } from "./restic.ts";

export type Contender = "ceiling" | "engine" | "restic";

export interface RunOrder {
  contender: Contender;
  first: string;
  second: string;
  folder: string;
  chunkBytes: number;
}

/** Milliseconds of each phase; processor time of all four; bytes in the store after each; peak resident memory. */
export interface RunResult {
  first: number;
  day2: number;
  unchanged: number;
  restore: number;
  storedFirst: number;
  storedDay2: number;
  cpuMs: number;
  peakRss: number;
  correct: boolean;
}

const order = JSON.parse(process.argv[2]!) as RunOrder;
const { first, second, folder } = order;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const target = join(folder, "restored.raw");
const { size } = statSync(first);

async function ofCeiling(): Promise<Omit<RunResult, "correct">> {
  const day1 = await ceilingBackup(first, folder, "day1", undefined);
  const day2 = await ceilingBackup(second, folder, "day2", day1.manifest);
  const unchanged = await ceilingBackup(second, folder, "unchanged", day2.manifest);
  const restore = await ceilingRestore(unchanged.manifest, target, size);
  return {
    first: day1.ms,
    day2: day2.ms,
    unchanged: unchanged.ms,
    restore: restore.ms,
    storedFirst: day1.storedBytes,
    storedDay2: day1.storedBytes + day2.storedBytes,
    ...ownUsage(),
  };
}

async function ofEngine(): Promise<Omit<RunResult, "correct">> {
  const storePath = join(folder, "store");
  const engine = await startEngine({ storePath, indexPath: join(folder, "index.db"), masterKey: randomBytes(32) });
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const backup = (path: string, backupId: string, baseId?: string): Promise<number> =>
    timed(() =>
      engine.backup(
        {
          tenant: "bench",
          backupId,
          source: { kind: "file", path },
          document: {},
          chunkBytes: order.chunkBytes,
          compressionLevel: 1,
          ...(baseId && { baseId }),
        },
        {},
      ),
    );
  const day1 = await backup(first, "day1");
  const storedFirst = treeBytes(storePath);
  const day2 = await backup(second, "day2", "day1");
  const storedDay2 = treeBytes(storePath);
  const unchanged = await backup(second, "unchanged", "day2");
  const restore = await timed(() =>
    engine.restore({ tenant: "bench", backupId: "unchanged", target: { kind: "file", path: target }, sizeBytes: size }, {}),
  );
  await engine.close();
  return { first: day1, day2, unchanged, restore, storedFirst, storedDay2, ...ownUsage() };
}

function ofRestic(): Omit<RunResult, "correct"> {
  const repository = join(folder, "repository");
  const source = join(folder, "source");
  const disk = join(source, "disk.raw");
  mkdirSync(source);
  const env = {
    ...process.env,
    RESTIC_PASSWORD: "bench",
    RESTIC_REPOSITORY: repository,
    RESTIC_CACHE_DIR: join(folder, "cache"),
    RESTIC_PROGRESS_FPS: "0",
  };
  const restic = (...args: string[]): number => {
    const started = performance.now();
    execFileSync(resticProgram, ["-q", ...args], { env, cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    return performance.now() - started;
  };
  const withDisk = (path: string, work: () => number): number => {
    // restic finds its parent by path; a rename keeps the page cache warm and the file what it is.
    renameSync(path, disk);
    try {
      return work();
    } finally {
      renameSync(disk, path);
    }
  };
  restic("init");
  const day1 = withDisk(first, () => restic("backup", "source"));
  const storedFirst = treeBytes(repository);
  const day2 = withDisk(second, () => restic("backup", "source"));
  const storedDay2 = treeBytes(repository);
  const unchanged = withDisk(second, () => restic("backup", "--force", "source"));
  const restored = join(folder, "restored");
  const restore = restic("restore", "latest", ...resticSparse(), "--target", restored);
  renameSync(join(restored, "source", "disk.raw"), target);
  return { first: day1, day2, unchanged, restore, storedFirst, storedDay2, ...childrenUsage() };
}

function ownUsage(): Pick<RunResult, "cpuMs" | "peakRss"> {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return { cpuMs: (userCPUTime + systemCPUTime) / 1000, peakRss: maxRSS * 1024 };
}

/** `getrusage(RUSAGE_CHILDREN)`: times added up, `ru_maxrss` of the largest. */
function childrenUsage(): Pick<RunResult, "cpuMs" | "peakRss"> {
  const usage = Buffer.alloc(144);
  koffi.load(null).func("int getrusage(int, void *)")(-1, usage);
  const field = (at: number): number => Number(usage.readBigInt64LE(at * 8));
  return { cpuMs: (field(0) + field(2)) * 1000 + (field(1) + field(3)) / 1000, peakRss: field(4) * 1024 };
}

const measured = order.contender === "ceiling" ? await ofCeiling() : order.contender === "engine" ? await ofEngine() : ofRestic();
let correct = true;
try {
  execFileSync("cmp", [second, target], { stdio: "ignore" });
} catch {
  correct = false;
}
rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify({ ...measured, correct } satisfies RunResult));
