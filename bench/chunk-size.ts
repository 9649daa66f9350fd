/**
 * What the chunk size costs and gains: `node bench/chunk-size.ts [--mib 4096]`. First backup, the day after (2 % of the data written in scattered
 * places) and the index, for each size, on the disks of bench/engine-disk.ts. Prints Markdown.
 */
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeDisks, warm } from "./engine-disk.ts";
import { treeBytes } from "./engine-sizes.ts";
import { backup, conditions, measured, megabytes, MIB, openEngine, row, seconds } from "./measure.ts";

const { values } = parseArgs({ options: { mib: { type: "string", default: "4096" } } });
const work = join(import.meta.dirname, "work");
const disks = makeDisks(work, Number(values.mib) * MIB);
console.log(`${conditions()}; ${megabytes(disks.dataBytes)} of data, ${disks.places} places changed\n`);
console.log(
  row("chunk", "first, processor", "first, wall", "day 2, processor", "day 2, wall", "stored day 1", "stored by day 2", "index per TiB of data"),
);
console.log(row("--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"));
for (const kib of [128, 256, 512, 1024, 2048, 4096]) {
  const folder = join(work, `chunk-${kib}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  warm(disks.first);
  const chunkBytes = kib * 1024;
  const engine = await openEngine(folder);
  const first = await measured(() => backup(engine, disks.first, { backupId: "first", chunkBytes }));
  const storedFirst = treeBytes(join(folder, "store"));
  warm(disks.second);
  const second = await measured(() => backup(engine, disks.second, { backupId: "second", baseId: "first", chunkBytes }));
  const storedSecond = treeBytes(join(folder, "store")) - storedFirst;
  await engine.close();
  const perTib = (statSync(join(folder, "index.db")).size / (first.result.newBytes + second.result.newBytes)) * 1024 ** 4;
  const times = [first.cpuMs, first.wallMs, second.cpuMs, second.wallMs].map(seconds);
  console.log(row(`${kib} KiB`, ...times, megabytes(storedFirst), megabytes(storedSecond), `${(perTib / MIB).toFixed(0)} MiB`));
  rmSync(folder, { recursive: true });
}
