/**
 * What a lane does with chunks that do not compress: `node bench/random.ts`. Seals 1 GiB of random chunks of 256 KiB into packs, segment by segment,
 * with every chunk tried and with the gate, at several levels; and the first backup of the same bytes as a whole. Prints Markdown.
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CompressionGate } from "../src/repository/compression-gate.ts";
import type { TenantKeys } from "../src/repository/keys.ts";
import { PackWriter } from "../src/repository/pack.ts";
import { backup, conditions, measured, MIB, openEngine, row, seconds } from "./measure.ts";

const work = join(import.meta.dirname, "work", "random");
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
const path = join(work, "disk");
const disk = randomFillSync(Buffer.alloc(1024 * MIB));
const fd = openSync(path, "w");
for (let at = 0; at < disk.length; at += MIB) writeSync(fd, disk, at, MIB, at);
closeSync(fd);
const keys: TenantKeys = { chunkId: randomBytes(32), pageId: randomBytes(32), pack: randomBytes(32), root: randomBytes(32) };

/** Seals the whole disk; tells milliseconds and how many chunks were tried. */
function sealAll(level: number, isGated: boolean): { ms: number; tried: number } {
  const buffer = Buffer.alloc(34 * MIB);
  let tried = 0;
  const started = performance.now();
  let writer: PackWriter | undefined;
  for (let segment = 0; segment < disk.length; segment += 4 * MIB) {
    const gate = new CompressionGate(level);
    for (let at = segment; at < segment + 4 * MIB; at += MIB / 4) {
      const plain = disk.subarray(at, at + MIB / 4);
      writer ??= new PackWriter({ tenant: "bench", packId: randomBytes(16), keys, kind: "data", compressionLevel: level, buffer });
      const isTried = !isGated || gate.isWorthTrying(plain);
      const entry = writer.add(plain.subarray(0, 32), plain, isTried);
      if (isTried) {
        tried++;
        gate.tell(entry.compressed);
      }
      if (writer.isFull) writer = undefined;
    }
  }
  return { ms: performance.now() - started, tried };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
console.log(`${conditions()}\n`);
console.log(row("1 GiB of random chunks", "each tried", "with the gate", "ratio", "tried"));
console.log(row("---", "--:", "--:", "--:", "--:"));
try {
  for (const level of [1, 3, 9]) {
    const runs = Array.from({ length: 5 }, () => [sealAll(level, false), sealAll(level, true)] as const);
    const [each, gated] = [median(runs.map(([all]) => all.ms)), median(runs.map(([, some]) => some.ms))];
    console.log(row(`level ${level}`, seconds(each), seconds(gated), (gated / each).toFixed(2), `${runs[0]![1].tried} of ${runs[0]![0].tried}`));
  }
  const engine = await openEngine(work);
  const { cpuMs, wallMs } = await measured(() => backup(engine, path, { backupId: "first" }));
  await engine.close();
  console.log(`\nThe first backup of the same bytes at level 1: ${seconds(cpuMs)} of processor time, ${seconds(wallMs)}.`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
