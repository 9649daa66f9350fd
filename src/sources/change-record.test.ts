import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import { decodeLog } from "./change-log.ts";
import { ChangeRecord } from "./change-record.ts";
import type { Extent } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "change-record-"));
after(() => rmSync(folder, { recursive: true }));

const KIB = 1024;
const GRANULE = 64 * KIB;
let names = 0;

/** A disk of some granules with its record, as one process has them. */
function newDisk(granules = 64, limits?: ConstructorParameters<typeof ChangeRecord>[2]) {
  const path = join(folder, `${++names}.raw`);
  const logPath = join(folder, `${names}.changes`);
  writeFileSync(path, Buffer.alloc(granules * GRANULE));
  const open = (): ChangeRecord => new ChangeRecord(path, logPath, limits);
  return { path, logPath, open };
}

const put = (offset: number, bytes: Uint8Array) => async (disk: FileHandle) => void (await disk.write(bytes, 0, bytes.length, offset));
const fill = (record: ChangeRecord, offset: number, length: number, value: number): Promise<void> =>
  record.write([{ offset, length }], put(offset, Buffer.alloc(length, value)));

/** Writes past the record, as another program does. */
function poke(path: string, offset: number, value: number): void {
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.alloc(1, value), 0, 1, offset);
  closeSync(fd);
}

async function freeze(record: ChangeRecord, since?: string): Promise<{ token: string; changed: Extent[] | undefined }> {
  const asked = systemRandom.uuid();
  const { token, changed } = await record.freeze({ token: asked, ...(since === undefined ? {} : { since }), take: () => Promise.resolve() });
  assert.equal(token, asked);
  return { token: asked, changed };
}

test("what was written since a freeze is told in whole granules, also by the next process; an unknown token is not known", async () => {
  const { open } = newDisk();
  let record = open();
  assert.equal((await freeze(record)).changed, undefined);
  const first = await freeze(record, "00000000-0000-4000-8000-000000000000");
  assert.equal(first.changed, undefined);
  await fill(record, 10, 5, 1);
  await fill(record, 3 * GRANULE - 1, 2, 1);
  const second = await freeze(record, first.token);
  assert.deepEqual(second.changed, [
    { offset: 0, length: GRANULE },
    { offset: 2 * GRANULE, length: 2 * GRANULE },
  ]);
  record = open();
  assert.deepEqual((await freeze(record, second.token)).changed, []);
  await fill(record, 20 * GRANULE, 1, 1);
  record = open();
  await fill(record, 20 * GRANULE, 1, 2);
  assert.deepEqual((await freeze(record, second.token)).changed, [{ offset: 20 * GRANULE, length: GRANULE }]);
  assert.equal((await freeze(record, first.token)).changed!.length, 3);
});

test("every single write of another program is noticed, however soon it follows", async () => {
  const { path, open } = newDisk();
  const record = open();
  for (let round = 1; round <= 60; round++) {
    const { token } = await freeze(record);
    if (round % 2 === 0) await fill(record, GRANULE, 1, round);
    poke(path, 5 * GRANULE, round);
    if (round % 3 === 0) await fill(record, 0, 1, round);
    assert.equal((await freeze(record, token)).changed, undefined, `round ${round}`);
  }
});

test("another file, a shorter one and one with other times in the disk's place are noticed", async () => {
  const changes: ((path: string) => void)[] = [
    (path) => {
      writeFileSync(`${path}.new`, readFileSync(path));
      renameSync(`${path}.new`, path);
    },
    (path) => truncateSync(path, GRANULE),
    (path) => utimesSync(path, 1, 1),
    (path) => {
      writeFileSync(`${path}.times`, "");
      execFileSync("touch", ["-r", path, `${path}.times`]);
      poke(path, 0, 7);
      execFileSync("touch", ["-r", `${path}.times`, path]);
      assert.equal(statSync(path).mtimeMs, statSync(`${path}.times`).mtimeMs);
    },
  ];
  for (const change of changes) {
    const { path, open } = newDisk();
    const record = open();
    const { token } = await freeze(record);
    change(path);
    assert.equal((await freeze(record, token)).changed, undefined);
    // From here on it is known again.
    const { token: next } = await freeze(record);
    await fill(record, 0, 1, 1);
    assert.deepEqual((await freeze(record, next)).changed, [{ offset: 0, length: GRANULE }]);
  }
});

test("a log of which any bit is wrong, or any part missing, is not believed", async () => {
  const { logPath, open } = newDisk();
  await freeze(open());
  await fill(open(), 0, 1, 1);
  await fill(open(), 9 * GRANULE, 1, 1);
  const whole = readFileSync(logPath);
  const isBelieved = (bytes: Buffer): boolean => decodeLog(bytes)?.entries.at(-1)?.kind === "settled";
  assert.equal(isBelieved(whole), true);
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1 << (at % 8);
    assert.equal(isBelieved(damaged), false, `a bit of byte ${at}`);
    assert.equal(isBelieved(whole.subarray(0, at)), false, `${at} bytes`);
  }
  const [header, entries] = [whole.subarray(0, 16), [16, 56, 96, 136].map((at) => whole.subarray(at, at + 40))];
  // The last process was killed while it wrote.
  assert.equal(isBelieved(whole.subarray(0, -40)), false);
  for (const order of [
    [0, 2, 1, 3],
    [0, 1, 3],
    [0, 3],
    [0, 1, 1, 2, 3],
    [1, 2, 3],
  ]) {
    assert.equal(isBelieved(Buffer.concat([header, ...order.map((at) => entries[at]!)])), false, String(order));
  }
});

test("a freeze waits for those who write and lets nobody in until it is taken", async () => {
  const { path, open } = newDisk();
  const record = open();
  const { token: before } = await freeze(record);
  const order: string[] = [];
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const { promise: mayTake, resolve: take } = Promise.withResolvers<void>();
  const slow = record.write([{ offset: 0, length: 1 }], async (disk) => {
    await mayEnd;
    await disk.write(Buffer.from([1]), 0, 1, 0);
    order.push("slow");
  });
  const token = systemRandom.uuid();
  const frozen = record.freeze({
    token,
    since: before,
    take: async () => {
      order.push("take");
      await mayTake;
      return readFileSync(path);
    },
  });
  const late = fill(record, 2 * GRANULE, 1, 2).then(() => order.push("late"));
  end();
  await slow;
  take();
  const { changed, taken } = await frozen;
  await late;
  assert.deepEqual(order, ["slow", "take", "late"]);
  assert.deepEqual([taken[0], taken[2 * GRANULE]], [1, 0]);
  assert.deepEqual(changed, [{ offset: 0, length: GRANULE }]);
  assert.deepEqual((await freeze(record, token)).changed, [{ offset: 2 * GRANULE, length: GRANULE }]);
});

test("a long log is condensed: older freezes are forgotten, scattered ranges become coarser, nothing is lost", async () => {
  const { logPath, open } = newDisk(4096, { maxEntries: 32, keepFreezes: 2 });
  const record = open();
  const oldest = await freeze(record);
  const tokens = [];
  for (let round = 0; round < 4; round++) {
    tokens.push((await freeze(record)).token);
    for (let n = 0; n < 40; n++) await fill(record, (round * 1000 + n * 20) * GRANULE, 1, 1);
  }
  assert.ok(statSync(logPath).size <= 16 + 34 * 40, "the log stays short");
  const { changed } = await freeze(record, tokens[3]);
  assert.ok(changed !== undefined && changed.length < 40);
  for (let n = 0; n < 40; n++) {
    const at = (3000 + n * 20) * GRANULE;
    assert.ok(changed.some(({ offset, length }) => offset <= at && at < offset + length));
  }
  assert.ok(changed.every(({ offset }) => offset >= 2900 * GRANULE));
  assert.equal((await freeze(record, oldest.token)).changed, undefined);
});

test("where no log can be written the bytes are frozen all the same, without a token", async () => {
  const { logPath, open } = newDisk();
  mkdirSync(logPath);
  const { token, changed, taken } = await open().freeze({ token: systemRandom.uuid(), since: "x", take: () => Promise.resolve("taken") });
  assert.deepEqual([token, changed, taken], [undefined, undefined, "taken"]);
});

test("replacing the disk forgets what was written to it", async () => {
  const { path, logPath, open } = newDisk();
  const record = open();
  const { token } = await freeze(record);
  await record.replace(() => Promise.resolve(poke(path, 0, 1)));
  assert.equal(existsSync(logPath), false);
  assert.equal((await freeze(record, token)).changed, undefined);
});

/** One step of a disk's life. `lossy` ones are those after which the record may know nothing. */
type Step =
  | { do: "write"; at: number; length: number; together: number; crash: "no" | "before the data" | "after the data" }
  | { do: "freeze"; since: number }
  | { do: "restart" | "poke" | "damage" | "grow" | "replace"; at: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      at: fc.nat(60 * GRANULE),
      length: fc.integer({ min: 1, max: 3 * GRANULE }),
      together: fc.integer({ min: 1, max: 4 }),
      crash: fc.oneof({ weight: 8, arbitrary: fc.constant("no" as const) }, fc.constantFrom("before the data" as const, "after the data" as const)),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("freeze" as const), since: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("restart" as const, "grow" as const), at: fc.nat(60 * GRANULE) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("poke" as const, "damage" as const, "replace" as const), at: fc.nat(60 * GRANULE) }) },
);

/** Every granule that differs is among the changed ones; what lies behind the end of the earlier image is known to be new anyway. */
function assertTold(earlier: Buffer, later: Buffer, changed: readonly Extent[]): void {
  for (let offset = 0; offset < earlier.length; offset += GRANULE) {
    if (later.subarray(offset, offset + GRANULE).equals(earlier.subarray(offset, offset + GRANULE))) continue;
    const isTold = changed.some((extent) => extent.offset <= offset && offset < extent.offset + extent.length);
    assert.ok(isTold, `granule ${offset / GRANULE} differs and is not told`);
  }
}

test("whatever happens, what differs from a frozen image is told as changed; and without accidents it is always told", async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const { path, logPath, open } = newDisk(64, { maxEntries: 12, keepFreezes: 3 });
      let record = open();
      let value = 0;
      const images: { token: string; image: Buffer; accident: boolean; frozen: number }[] = [];
      let accidents = 0;
      const remember = async (since?: string) => {
        const token = systemRandom.uuid();
        const { changed, taken } = await record.freeze({
          token,
          ...(since === undefined ? {} : { since }),
          take: () => Promise.resolve(readFileSync(path)),
        });
        images.push({ token, image: taken, accident: false, frozen: images.length });
        return { changed, taken };
      };
      for (const at of steps) {
        if (at.do === "freeze") {
          const base = images.at(-1 - (at.since % Math.max(1, images.length)));
          const { changed, taken } = await remember(base?.token);
          if (base === undefined) continue;
          const isRecent = images.length - 1 - base.frozen <= 2;
          if (changed === undefined) assert.ok(accidents > 0 || !isRecent, "without an accident it is known");
          else {
            told++;
            assertTold(base.image, taken, changed);
          }
        } else if (at.do === "write") {
          let logOfTheDead: Buffer | undefined;
          const writes = Array.from({ length: at.together }, (_, n) => {
            const [offset, bytes] = [at.at + n * 1000, Buffer.alloc(at.length, ++value)];
            return record.write([{ offset, length: bytes.length }], async (disk) => {
              if (at.crash !== "before the data") await put(offset, bytes)(disk);
              if (at.crash !== "no") logOfTheDead ??= existsSync(logPath) ? readFileSync(logPath) : undefined;
            });
          });
          await Promise.all(writes);
          if (at.crash !== "no") {
            accidents++;
            if (logOfTheDead !== undefined) writeFileSync(logPath, logOfTheDead);
            record = open();
          }
        } else if (at.do === "restart") record = open();
        else if (at.do === "poke") {
          accidents++;
          poke(path, at.at, ++value);
        } else if (at.do === "damage") {
          accidents++;
          const log = existsSync(logPath) ? readFileSync(logPath) : Buffer.alloc(1);
          log[at.at % log.length]! ^= 1;
          writeFileSync(logPath, log);
        } else if (at.do === "grow") {
          await record.write([], async (disk) => disk.truncate((await disk.stat()).size + GRANULE));
        } else {
          accidents++;
          await record.replace(() => Promise.resolve(writeFileSync(path, Buffer.alloc(readFileSync(path).length, ++value))));
        }
      }
      rmSync(path);
      rmSync(logPath, { force: true });
    }),
    { numRuns: 60 },
  );
  assert.ok(told > 20, `changes were told ${told} times`);
});
