import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { RepositoryError } from "./engine-types.ts";
import type { BackupRequest, Engine, RepositoryErrorCode } from "./engine-types.ts";
import { startEngine } from "./engine.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const CHUNK = 64 * KIB;

const folder = mkdtempSync(join(tmpdir(), "engine-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const masterKey = new Uint8Array(32).fill(0x5a);

/** One engine for all tests that do not damage its store; each test uses tenants of its own. */
let shared: Engine;
before(async () => {
  shared = await open(join(folder, "shared"));
});
after(() => shared.close());

async function open(path: string, key = masterKey): Promise<Engine> {
  mkdirSync(path, { recursive: true });
  return await startEngine({ storePath: join(path, "store"), indexPath: join(path, "index.db"), masterKey: key, laneCount: 2 });
}

let names = 0;
const unique = (what: string): string => `${what}-${++names}`;

interface Write {
  offset: number;
  bytes: Uint8Array;
}

/** A sparse file, and its content. */
function makeDisk(sizeBytes: number, writes: Write[]): { path: string; content: Buffer } {
  const path = join(folder, unique("disk"));
  const fd = openSync(path, "w");
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
  change(path, writes);
  return { path, content: readFileSync(path) };
}

function change(path: string, writes: Write[]): void {
  const { size } = statSync(path);
  const fd = openSync(path, "r+");
  for (const { offset, bytes } of writes) {
    const length = Math.min(bytes.length, size - offset);
    if (length > 0) writeSync(fd, bytes, 0, length, offset);
  }
  closeSync(fd);
}

function request(tenant: string, path: string, more: Partial<BackupRequest> = {}): BackupRequest {
  return {
    tenant,
    backupId: unique("backup"),
    source: { kind: "file", path },
    document: { name: path },
    chunkBytes: CHUNK,
    compressionLevel: 1,
    ...more,
  };
}

async function restored(engine: Engine, tenant: string, backupId: string, sizeBytes: number): Promise<Buffer> {
  const path = join(folder, unique("restored"));
  await engine.restore({ tenant, backupId, target: { kind: "file", path }, sizeBytes }, {});
  const content = readFileSync(path);
  rmSync(path);
  return content;
}

async function failsWith(code: RepositoryErrorCode, promise: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof RepositoryError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Bytes that compress, do not compress, or are zero. */
const someBytes = fc
  .record({ kind: fc.constantFrom("random", "text", "zero"), length: fc.integer({ min: 1, max: 300 * KIB }), seed: fc.integer({ min: 0, max: 5 }) })
  .map(({ kind, length, seed }) => {
    const bytes = Buffer.alloc(length);
    if (kind === "zero") return bytes;
    let state = seed + 1;
    for (let at = 0; at < length; at++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      bytes[at] = kind === "text" ? 97 + ((at >> 4) % 7) + (seed % 3) : state >>> 16;
    }
    return bytes;
  });

const someWrites = (maxOffset: number) =>
  fc.array(fc.record({ offset: fc.nat(maxOffset).map((offset) => (offset % 3 === 0 ? offset - (offset % CHUNK) : offset)), bytes: someBytes }), {
    maxLength: 6,
  });

test("whatever a sparse disk holds comes back bit for bit, through chains of increments and any range", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 3 * MIB }),
      someWrites(3 * MIB),
      fc.array(someWrites(3 * MIB), { maxLength: 2 }),
      fc.constantFrom(CHUNK, 128 * KIB, MIB),
      fc.constantFrom(0, 1, 3),
      fc.nat(),
      async (sizeBytes, first, days, chunkBytes, compressionLevel, at) => {
        const tenant = unique("tenant");
        const { path } = makeDisk(sizeBytes, first);
        const kept: { id: string; content: Buffer }[] = [];
        let baseId: string | undefined;
        for (const writes of [[], ...days]) {
          change(path, writes);
          const content = readFileSync(path);
          const wanted = request(tenant, path, { chunkBytes, compressionLevel, ...(baseId && { baseId }) });
          const outcome = await shared.backup(wanted, {});
          assert.equal(outcome.sizeBytes, sizeBytes);
          assert.equal(outcome.newBytes + outcome.unchangedBytes + outcome.deduplicatedBytes, outcome.dataBytes);
          assert.equal(outcome.changedWhileRead, false);
          kept.push({ id: wanted.backupId, content });
          baseId = wanted.backupId;
        }
        for (const { id, content } of kept) {
          assert.ok((await restored(shared, tenant, id, sizeBytes)).equals(content));
          const offset = sizeBytes === 0 ? 0 : at % sizeBytes;
          const length = Math.min(sizeBytes - offset, 200_000);
          const range = await shared.readRange({ tenant, backupId: id, offset, length });
          assert.ok(content.subarray(offset, offset + length).equals(range));
        }
      },
    ),
    {
      numRuns: 25,
      examples: [
        [0, [], [], CHUNK, 1, 0],
        [1, [{ offset: 0, bytes: Buffer.of(1) }], [], CHUNK, 1, 0],
        [CHUNK, [{ offset: 0, bytes: Buffer.alloc(CHUNK) }], [], CHUNK, 1, 0],
        [2 * MIB, [{ offset: 0, bytes: Buffer.alloc(2 * MIB, 7) }], [[{ offset: MIB, bytes: Buffer.alloc(MIB) }]], CHUNK, 1, MIB - 5],
      ],
    },
  );
});

test("the figures of a chain are those of what was done", async () => {
  const tenant = unique("tenant");
  const sizeBytes = 100 * MIB + 10;
  const noise = randomBytes(10 * CHUNK);
  const { path, content } = makeDisk(sizeBytes, [
    { offset: 8 * CHUNK, bytes: noise },
    { offset: 80 * MIB, bytes: noise.subarray(0, 2 * CHUNK) },
    { offset: 90 * MIB, bytes: Buffer.alloc(CHUNK) },
  ]);
  const full = request(tenant, path);
  const first = await shared.backup(full, {});
  assert.equal(first.readBytes, 13 * CHUNK, "holes are not read");
  assert.equal(first.dataBytes, 12 * CHUNK, "written zeros are no data");
  assert.equal(first.newBytes, 10 * CHUNK);
  assert.equal(first.newChunks, 10);
  assert.equal(first.deduplicatedBytes, 2 * CHUNK);
  assert.equal(first.compressed, false);
  assert.ok(first.storedBytes > first.newBytes && first.storedBytes < first.newBytes + 10 * 100);
  assert.equal(first.container, `t/${tenant}/`);
  change(path, [
    { offset: 9 * CHUNK + 5, bytes: Buffer.of(1, 2, 3) },
    { offset: 10 * CHUNK, bytes: Buffer.alloc(CHUNK) },
    { offset: sizeBytes - 1, bytes: Buffer.of(9) },
  ]);
  const day2 = request(tenant, path, { baseId: full.backupId });
  const second = await shared.backup(day2, {});
  assert.equal(second.newBytes, CHUNK + 10);
  assert.equal(second.unchangedBytes, 10 * CHUNK);
  assert.equal(second.deduplicatedBytes, 0);
  const unchanged = request(tenant, path, { baseId: day2.backupId });
  const third = await shared.backup(unchanged, {});
  assert.equal(third.newChunks, 0);
  assert.equal(third.storedBytes, 0);
  assert.equal(third.unchangedBytes, third.dataBytes);
  assert.equal(third.objectCount, second.objectCount);
  const packs = (listed: string[]): number => listed.filter((name) => /^[0-9a-f]{32}$/.test(name)).length;
  const inStore = packs(
    readdirSync(join(folder, "shared", "store", "objects", "t", tenant), { recursive: true }).map((name) => String(name).split("/").pop()!),
  );
  assert.ok(second.objectCount >= 2 && second.objectCount < inStore, "packs of pages are no data");
  assert.deepEqual(await shared.listRoots(tenant), [full, day2, unchanged].map(({ backupId }) => backupId).sort());
  const root = await shared.readRoot(tenant, day2.backupId);
  assert.equal(root?.baseId, full.backupId);
  assert.deepEqual(root?.document, { name: path });
  assert.equal(root?.statistics.newBytes, second.newBytes);
  assert.equal((await shared.readRoot(tenant, unchanged.backupId))?.merkleRoot, root?.merkleRoot, "same content, same root hash");
  assert.ok((await restored(shared, tenant, full.backupId, sizeBytes)).equals(content));
  await shared.deleteRoot(tenant, day2.backupId);
  await shared.deleteRoot(tenant, day2.backupId);
  assert.equal(await shared.readRoot(tenant, day2.backupId), undefined);
  await failsWith("missingRoot", shared.readRange({ tenant, backupId: day2.backupId, offset: 0, length: 1 }));
  assert.ok((await restored(shared, tenant, unchanged.backupId, sizeBytes)).equals(readFileSync(path)));
});

test("a disk that grows or shrinks is compared with its base where both have something", async () => {
  const tenant = unique("tenant");
  const { path } = makeDisk(70 * MIB, [
    { offset: 0, bytes: randomBytes(MIB) },
    { offset: 69 * MIB, bytes: randomBytes(MIB) },
  ]);
  let base = request(tenant, path);
  await shared.backup(base, {});
  for (const [sizeBytes, unchangedBytes] of [
    [140 * MIB + 7, 2 * MIB],
    [69 * MIB + CHUNK + 1, MIB + CHUNK],
    [MIB / 2, MIB / 2],
    [0, 0],
    [70 * MIB, 0],
  ] as const) {
    truncateSync(path, sizeBytes);
    const next = request(tenant, path, { baseId: base.backupId });
    assert.equal((await shared.backup(next, {})).unchangedBytes, unchangedBytes);
    assert.ok((await restored(shared, tenant, next.backupId, sizeBytes)).equals(readFileSync(path)));
    base = next;
  }
});

test("content is shared within a tenant, never between tenants", async () => {
  const { path } = makeDisk(MIB, [{ offset: 0, bytes: randomBytes(MIB) }]);
  const [one, other] = [unique("tenant"), unique("tenant")];
  assert.equal((await shared.backup(request(one, path), {})).newBytes, MIB);
  assert.equal((await shared.backup(request(one, path), {})).deduplicatedBytes, MIB);
  const elsewhere = request(other, path);
  assert.equal((await shared.backup(elsewhere, {})).newBytes, MIB);
  assert.equal(await shared.readRoot(one, elsewhere.backupId), undefined);
});

test("backups of the same content at the same time store it once, and all restore", async () => {
  const tenant = unique("tenant");
  const { path, content } = makeDisk(24 * MIB, [{ offset: 0, bytes: randomBytes(24 * MIB) }]);
  const wanted = [1, 2, 3].map(() => request(tenant, path));
  const outcomes = await Promise.all(wanted.map((one) => shared.backup(one, {})));
  assert.equal(
    outcomes.reduce((sum, { newBytes }) => sum + newBytes, 0),
    24 * MIB,
  );
  for (const { backupId } of wanted) assert.ok((await restored(shared, tenant, backupId, content.length)).equals(content));
});

test("when one of two equal backups is cancelled, the other stores what it had promised", async () => {
  const tenant = unique("tenant");
  const { path, content } = makeDisk(24 * MIB, [{ offset: 0, bytes: randomBytes(24 * MIB) }]);
  const controller = new AbortController();
  const doomed = request(tenant, path);
  const survivor = request(tenant, path);
  const cancelled = shared.backup(doomed, { signal: controller.signal, onProgress: () => controller.abort() });
  const outcome = shared.backup(survivor, {});
  await failsWith("cancelled", cancelled);
  assert.equal((await outcome).dataBytes, 24 * MIB);
  assert.ok((await restored(shared, tenant, survivor.backupId, content.length)).equals(content));
  assert.equal(await shared.readRoot(tenant, doomed.backupId), undefined);
});

test("a cancelled restore says so, and one cancelled before it began does nothing", async () => {
  const tenant = unique("tenant");
  const { path } = makeDisk(64 * MIB, [{ offset: 0, bytes: randomBytes(64 * MIB) }]);
  const wanted = request(tenant, path);
  await shared.backup(wanted, {});
  const target = join(folder, unique("restored"));
  const restore = { tenant, backupId: wanted.backupId, target: { kind: "file", path: target }, sizeBytes: 64 * MIB } as const;
  await failsWith("cancelled", shared.restore(restore, { signal: AbortSignal.abort() }));
  assert.equal(existsSync(target), false);
  const controller = new AbortController();
  await failsWith("cancelled", shared.restore(restore, { signal: controller.signal, onProgress: () => controller.abort() }));
  await failsWith("cancelled", shared.backup(request(tenant, path), { signal: AbortSignal.abort() }));
});

test("a source that shrinks, is missing or is no file fails by name and leaves no root", async () => {
  const tenant = unique("tenant");
  const { path } = makeDisk(96 * MIB, [{ offset: 0, bytes: randomBytes(96 * MIB) }]);
  const wanted = request(tenant, path);
  let shrunk = false;
  const shrink = (): void => {
    if (!shrunk) truncateSync(path, MIB);
    shrunk = true;
  };
  await failsWith("sourceShrunk", shared.backup(wanted, { onProgress: shrink }), /shorter/);
  assert.equal(await shared.readRoot(tenant, wanted.backupId), undefined);
  await failsWith("sourceNotFound", shared.backup(request(tenant, join(folder, "absent")), {}));
  await failsWith("sourceUnreadable", shared.backup(request(tenant, folder), {}));
  const again = await shared.backup(wanted, {});
  assert.equal(again.sizeBytes, MIB);
});

test("a source that is written meanwhile is told of", async () => {
  const tenant = unique("tenant");
  const { path } = makeDisk(8 * MIB, [{ offset: 0, bytes: randomBytes(8 * MIB) }]);
  let written = false;
  const outcome = await shared.backup(request(tenant, path), {
    onProgress() {
      if (!written) change(path, [{ offset: 0, bytes: Buffer.of(1) }]);
      written = true;
    },
  });
  assert.equal(outcome.changedWhileRead, written);
  assert.ok(written);
});

test("requests that make no sense are refused by field", async () => {
  const tenant = unique("tenant");
  const { path } = makeDisk(MIB, []);
  const base = request(tenant, path);
  await shared.backup(base, {});
  await failsWith("invalidRequest", shared.backup(request(tenant, path, { chunkBytes: 100_000 }), {}), /chunkBytes/);
  await failsWith("invalidRequest", shared.backup(request(tenant, path, { compressionLevel: 99 }), {}), /compressionLevel/);
  await failsWith("invalidRequest", shared.backup(request("../up", path), {}), /tenant/);
  await failsWith("invalidRequest", shared.backup(request(tenant, path, { backupId: "a/b" }), {}), /backup id/);
  await failsWith("invalidRequest", shared.backup(base, {}), /backupId/);
  await failsWith("missingRoot", shared.backup(request(tenant, path, { baseId: "absent" }), {}), /baseId/);
  await failsWith("baseNotComparable", shared.backup(request(tenant, path, { baseId: base.backupId, chunkBytes: MIB }), {}), /chunks of 65536/);
  const target = { kind: "file", path: join(folder, unique("restored")) } as const;
  await failsWith("invalidRequest", shared.restore({ tenant, backupId: base.backupId, target, sizeBytes: 5 }, {}), /sizeBytes/);
  await failsWith("missingRoot", shared.restore({ tenant, backupId: "absent", target, sizeBytes: MIB }, {}), /absent/);
  await failsWith("missingRoot", shared.restore({ tenant: "nobody", backupId: "absent", target, sizeBytes: MIB }, {}), /absent/);
  const nowhere = { kind: "file", path: join(folder, "no", "where") } as const;
  await failsWith("targetNotWritable", shared.restore({ tenant, backupId: base.backupId, target: nowhere, sizeBytes: MIB }, {}), /where/);
  await failsWith("invalidRequest", shared.readRange({ tenant, backupId: base.backupId, offset: MIB - 1, length: 2 }), /offset/);
  await failsWith("invalidRequest", shared.readRange({ tenant, backupId: base.backupId, offset: 0, length: 9 * MIB }), /length/);
});

test("a larger target reads as zeros behind the backup", async () => {
  const tenant = unique("tenant");
  const { path, content } = makeDisk(100_000, [{ offset: 0, bytes: randomBytes(100_000) }]);
  const wanted = request(tenant, path);
  await shared.backup(wanted, {});
  const larger = await restored(shared, tenant, wanted.backupId, MIB);
  assert.ok(larger.subarray(0, content.length).equals(content));
  assert.ok(larger.subarray(content.length).every((byte) => byte === 0));
});

/** A repository of its own with one backup, closed; to be damaged. */
async function closedRepository(): Promise<{ path: string; tenant: string; backupId: string; content: Buffer; packs: string[] }> {
  const path = join(folder, unique("repository"));
  const engine = await open(path);
  const tenant = unique("tenant");
  const disk = makeDisk(4 * MIB, [{ offset: MIB, bytes: randomBytes(2 * MIB) }]);
  const wanted = request(tenant, disk.path);
  await engine.backup(wanted, {});
  await engine.close();
  const packFolder = join(path, "store", "objects", "t", tenant, "packs");
  const packs = readdirSync(packFolder, { recursive: true })
    .map(String)
    .filter((name) => name.length > 2)
    .map((name) => join(packFolder, name));
  return { path, tenant, backupId: wanted.backupId, content: disk.content, packs };
}

/** 1 for data, 2 for pages: byte 10 of a pack. */
const kindOf = (pack: string): number => readFileSync(pack)[10]!;

test("the index file may be deleted: it is rebuilt from the packs", async () => {
  const { path, tenant, backupId, content } = await closedRepository();
  for (const name of readdirSync(path)) if (name.startsWith("index.db")) rmSync(join(path, name));
  const engine = await open(path);
  assert.ok((await restored(engine, tenant, backupId, content.length)).equals(content));
  const disk = join(folder, unique("disk"));
  writeFileSync(disk, content);
  const next = await engine.backup(request(tenant, disk, { baseId: backupId }), {});
  assert.equal(next.newChunks, 0);
  assert.ok(next.objectCount >= 1);
  await engine.close();
});

test("another master key opens nothing, and the right one still does", async () => {
  const { path, tenant, backupId, content } = await closedRepository();
  await failsWith("wrongMasterKey", open(path, new Uint8Array(32).fill(1)));
  const engine = await open(path);
  assert.ok((await restored(engine, tenant, backupId, content.length)).equals(content));
  await engine.close();
});

test("a flipped byte in a data pack is an error with backup and range, never wrong bytes", async () => {
  const { path, tenant, backupId, content, packs } = await closedRepository();
  const pack = packs.find((one) => kindOf(one) === 1)!;
  const bytes = readFileSync(pack);
  bytes[32 + 72 + 1000]! ^= 1;
  writeFileSync(pack, bytes);
  const engine = await open(path);
  await failsWith(
    "corruptChunk",
    restored(engine, tenant, backupId, content.length),
    new RegExp(`backup ${backupId}, bytes \\d+ to \\d+: .*${pack.slice(-32)}`),
  );
  const ranges = [];
  for (let offset = 0; offset < content.length; offset += CHUNK) {
    const range = engine.readRange({ tenant, backupId, offset, length: CHUNK });
    ranges.push(
      range.then(
        (read) => content.subarray(offset, offset + CHUNK).equals(read),
        (error: RepositoryError) => error.code,
      ),
    );
  }
  const seen = await Promise.all(ranges);
  assert.equal(seen.filter((one) => one === "missingChunk").length, 1, "what is known to be damaged has no place any more");
  assert.equal(seen.filter((one) => one === true).length, seen.length - 1);
  await engine.close();
});

test("a deleted data pack is an error with backup and range, before and after the engine notices", async () => {
  const { path, tenant, backupId, content, packs } = await closedRepository();
  const engine = await open(path);
  rmSync(packs.find((one) => kindOf(one) === 1)!);
  const located = new RegExp(`backup ${backupId}, bytes \\d+ to \\d+`);
  await failsWith("missingChunk", restored(engine, tenant, backupId, content.length), located);
  await engine.close();
  const later = await open(path);
  await failsWith("damaged", restored(later, tenant, backupId, content.length), new RegExp(`bytes \\d+ to \\d+ of backup ${backupId}`));
  await failsWith("missingChunk", later.readRange({ tenant, backupId, offset: MIB, length: 2 * MIB }), located);
  const disk = join(folder, unique("disk"));
  writeFileSync(disk, content);
  const healing = request(tenant, disk);
  assert.ok((await later.backup(healing, {})).newChunks > 0);
  assert.ok((await restored(later, tenant, backupId, content.length)).equals(content), "the same content heals what shares it");
  await later.close();
});

test("a deleted or damaged page or root is an error", async () => {
  const { path, tenant, backupId, content, packs } = await closedRepository();
  const pack = packs.find((one) => kindOf(one) === 2)!;
  const bytes = readFileSync(pack);
  bytes[32 + 72 + 10]! ^= 1;
  writeFileSync(pack, bytes);
  const engine = await open(path);
  await failsWith("corruptPage", restored(engine, tenant, backupId, content.length), new RegExp(`backup ${backupId}`));
  rmSync(pack);
  await failsWith("damaged", restored(engine, tenant, backupId, content.length), new RegExp(`backup ${backupId}`));
  await engine.close();
  const root = join(path, "store", "objects", "t", tenant, "roots", backupId);
  const sealed = readFileSync(root);
  sealed[sealed.length - 1]! ^= 1;
  writeFileSync(root, sealed);
  const later = await open(path);
  await failsWith("corruptRoot", restored(later, tenant, backupId, content.length), new RegExp(backupId));
  await later.close();
});

test("closing cancels what runs; a closed engine says so", async () => {
  const path = join(folder, unique("repository"));
  const engine = await open(path);
  const tenant = unique("tenant");
  const disk = makeDisk(64 * MIB, [{ offset: 0, bytes: randomBytes(64 * MIB) }]);
  const wanted = request(tenant, disk.path);
  const running = failsWith("cancelled", engine.backup(wanted, {}));
  await engine.close();
  await running;
  await engine.close();
  await failsWith("engineStopped", engine.backup(wanted, {}));
  const later = await open(path);
  assert.deepEqual(await later.listRoots(tenant), []);
  assert.ok((await later.backup(wanted, {})).dataBytes === 64 * MIB);
  assert.ok((await restored(later, tenant, wanted.backupId, 64 * MIB)).equals(disk.content));
  await later.close();
});
