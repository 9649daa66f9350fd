import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Clock } from "#platform/clock.ts";
import { systemRandom } from "#platform/random.ts";
import { MemoryStore } from "#storage/memory.ts";
import { scrubStore } from "./check-offline.ts";
import { noise } from "./codec-samples.ts";
import { EngineCore } from "./engine-core.ts";
import { RepositoryError } from "./engine-types.ts";
import type { CheckRequest, RestoreOutcome } from "./engine-types.ts";

const folder = mkdtempSync(join(tmpdir(), "check-"));
const opened: EngineCore[] = [];
after(async () => {
  for (const core of opened) await core.close();
  rmSync(folder, { recursive: true, force: true });
});

const chunk = 65536;
const tenant = "tenant";
const masterKey = new Uint8Array(32).fill(3);
let names = 0;

/** A store whose objects can be damaged. */
class BrittleStore extends MemoryStore {
  async alter(key: string, change: (bytes: Uint8Array) => Uint8Array | undefined): Promise<void> {
    const changed = change(await this.get(key));
    await this.delete(key);
    if (changed !== undefined) await this.putIfAbsent(key, [changed]);
  }

  /** Outlives the engine that is closed over it. */
  override async close(): Promise<void> {}

  async keys(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of this.list(prefix)) found.push(key);
    return found;
  }
}

async function makeWorld() {
  const store = new BrittleStore();
  const indexPath = join(folder, `index-${++names}.db`);
  const open = async () => {
    const made = await EngineCore.over(store, { indexPath, masterKey, laneCount: 1 }, systemRandom);
    opened.push(made);
    return made;
  };
  const path = join(folder, `disk-${names}`);
  let core = await open();
  return {
    store,
    indexPath,
    get core() {
      return core;
    },
    async reopen(meanwhile: () => void = () => {}) {
      await opened.splice(opened.indexOf(core), 1)[0]!.close();
      meanwhile();
      core = await open();
    },
    write: (bytes: Uint8Array) => writeFileSync(path, bytes),
    backup: (backupId: string, baseId?: string) =>
      core.backup(
        { tenant, backupId, source: { kind: "file", path }, document: {}, chunkBytes: chunk, compressionLevel: 1, ...(baseId && { baseId }) },
        {},
      ),
    check: (more: Partial<CheckRequest> = {}) => core.check({ tenant, nowUs: 1_800_000_000_000_000, ...more }, {}),
    async restore(backupId: string, sizeBytes: number, allowHoles = false): Promise<{ outcome: RestoreOutcome; content: Buffer }> {
      const target = join(folder, `restored-${++names}`);
      const outcome = await core.restore({ tenant, backupId, target: { kind: "file", path: target }, sizeBytes, allowHoles }, {});
      const content = readFileSync(target);
      rmSync(target);
      return { outcome, content };
    },
    /** The pack that holds data, when there is one. */
    async dataPack(): Promise<string> {
      for (const key of await store.keys(`t/${tenant}/packs/`)) if ((await store.get(key))[10] === 1) return key;
      throw new Error("no data pack");
    },
  };
}

const flipAt =
  (at: number) =>
  (bytes: Uint8Array): Uint8Array => {
    bytes[at]! ^= 0x40;
    return bytes;
  };

const refused =
  (code: string, message = /./) =>
  (error: unknown): boolean =>
    error instanceof RepositoryError && error.code === code && message.test(error.message);

test("a sound repository: nothing is found, everything is counted", async () => {
  const world = await makeWorld();
  world.write(noise(1, 10 * chunk + 5));
  await world.backup("one");
  const outcome = await world.check({ readData: { percent: 100 } });
  assert.deepEqual([outcome.findings, outcome.damagedRecords, outcome.damagedBackups], [[], 0, []]);
  assert.deepEqual([outcome.backups, outcome.pages, outcome.packs, outcome.packsRead, outcome.recordsVerified], [1, 1, 2, 2, 12]);
  assert.equal(outcome.oldestVerifiedAtUs, 1_800_000_000_000_000);
});

test("damaged chunk: told by backup and range, refused by default, restored around it, healed by an unchanged incremental", async () => {
  const world = await makeWorld();
  const content = noise(2, 10 * chunk);
  world.write(content);
  await world.backup("one");
  await world.backup("two", "one");
  // Of record 3: 32 bytes of header, each record 72 bytes and, since it does not compress, a whole chunk.
  await world.store.alter(await world.dataPack(), flipAt(32 + 3 * (72 + chunk) + 500));
  assert.equal((await world.check()).findingCount, 0, "the structure is sound");
  const outcome = await world.check({ readData: { percent: 100 } });
  assert.equal(outcome.damagedRecords, 1);
  assert.deepEqual(
    outcome.damagedBackups.map(({ backupId, lostBytes, ranges }) => [backupId, lostBytes, ranges.map(({ offset, length }) => [offset, length])]),
    [
      ["one", chunk, [[3 * chunk, chunk]]],
      ["two", chunk, [[3 * chunk, chunk]]],
    ],
  );
  assert.equal((await world.core.damage(tenant, "one"))[0]!.ranges[0]!.offset, 3 * chunk);
  await assert.rejects(world.restore("one", content.length), refused("damaged", /bytes 196608 to 262144/));
  const around = await world.restore("one", content.length, true);
  const expected = Buffer.from(content);
  expected.fill(0, 3 * chunk, 4 * chunk);
  assert.ok(around.content.equals(expected));
  assert.deepEqual(
    around.outcome.lost.map(({ offset, length }) => [offset, length]),
    [[3 * chunk, chunk]],
  );
  const healing = await world.backup("three", "two");
  assert.deepEqual([healing.newChunks, healing.dataBytes, healing.unchangedBytes], [1, content.length, content.length - chunk]);
  for (const id of ["one", "two", "three"]) assert.ok((await world.restore(id, content.length)).content.equals(content), id);
  assert.deepEqual(await world.core.damage(tenant), []);
  const last = await world.check({ readData: { percent: 100 } });
  assert.deepEqual([last.damagedRecords, last.damagedBackups], [0, []]);
});

test("a full backup stores again what is damaged, too", async () => {
  const world = await makeWorld();
  const content = noise(3, 4 * chunk);
  world.write(content);
  await world.backup("one");
  await world.store.alter(await world.dataPack(), flipAt(32 + 72 + 5));
  await world.check({ readData: { percent: 100 } });
  assert.equal((await world.backup("two")).newChunks, 1);
  assert.ok((await world.restore("one", content.length)).content.equals(content));
});

test("a healed chunk whose damaged copy an index made anew meets first: reads and restores use the sound one", async () => {
  for (const read of ["restore", "restore around holes", "range"]) {
    const world = await makeWorld();
    const content = noise(6, 4 * chunk);
    world.write(content);
    await world.backup("one");
    const damaged = await world.dataPack();
    await world.store.alter(damaged, flipAt(32 + 72 + 5));
    await world.check({ readData: { percent: 100 } });
    await world.backup("two");
    // Listed after the damaged one.
    for (const key of await world.store.keys(`t/${tenant}/packs/`)) if (key !== damaged) await world.store.alter(key, (bytes) => bytes);
    await world.reopen(() => {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(world.indexPath + suffix, { force: true });
    });
    if (read === "range") {
      const bytes = await world.core.readRange({ tenant, backupId: "one", offset: 0, length: content.length });
      assert.ok(content.every((byte, at) => bytes[at] === byte));
    } else {
      const restored = await world.restore("one", content.length, read !== "restore");
      assert.ok(restored.content.equals(content), read);
      assert.deepEqual(restored.outcome.lost, []);
    }
    assert.deepEqual(await world.core.damage(tenant), []);
  }
});

test("a missing pack: its backups are damaged whether it is missed at open or by a check, and an incremental brings it all back", async () => {
  for (const reopens of [false, true]) {
    const world = await makeWorld();
    const content = noise(4, 6 * chunk);
    world.write(content);
    await world.backup("one");
    await world.store.alter(await world.dataPack(), () => undefined);
    if (reopens) await world.reopen();
    const outcome = await world.check();
    assert.equal(outcome.damagedRecords, 6);
    assert.deepEqual(
      outcome.damagedBackups.map(({ backupId, lostBytes }) => [backupId, lostBytes]),
      [["one", content.length]],
    );
    assert.equal((await world.backup("two", "one")).newChunks, 6);
    assert.ok((await world.restore("one", content.length)).content.equals(content));
    assert.deepEqual((await world.check({ readData: { percent: 100 } })).damagedBackups, []);
  }
});

test("a damaged page: its backup is lost in that range until a full backup has it again", async () => {
  const world = await makeWorld();
  const content = noise(5, 3 * chunk);
  world.write(content);
  await world.backup("one");
  for (const key of await world.store.keys(`t/${tenant}/packs/`))
    if ((await world.store.get(key))[10] === 2) await world.store.alter(key, flipAt(110));
  const outcome = await world.check();
  assert.deepEqual(
    outcome.damagedBackups.map(({ backupId, lostBytes }) => [backupId, lostBytes]),
    [["one", content.length]],
  );
  await assert.rejects(world.backup("two", "one"), refused("corruptPage"));
  const full = await world.backup("two");
  assert.equal(full.newChunks, 0);
  assert.ok((await world.restore("one", content.length)).content.equals(content));
  assert.deepEqual(await world.core.damage(tenant), []);
});

test("a byte budget reads the packs that have waited longest, one after the other", async () => {
  const world = await makeWorld();
  const read: string[] = [];
  for (let n = 0; n < 3; n++) {
    world.write(noise(10 + n, 2 * chunk));
    await world.backup(`b${n}`);
  }
  const { packs } = await world.check();
  assert.equal(packs, 6);
  for (let n = 0; n < packs; n++) {
    const outcome = await world.check({ readData: { bytes: 1 }, nowUs: n + 1 });
    assert.equal(outcome.packsRead, 1);
    read.push(outcome.packResults[0]!.packId);
  }
  assert.equal(new Set(read).size, packs);
  assert.equal((await world.check({ readData: { bytes: 1 }, nowUs: 100 })).packResults[0]!.packId, read[0]);
});

test("what was called damaged and is sound after all has its place back", async () => {
  const world = await makeWorld();
  const content = noise(6, 3 * chunk);
  world.write(content);
  await world.backup("one");
  const pack = await world.dataPack();
  await world.store.alter(pack, flipAt(200));
  assert.equal((await world.check({ readData: { percent: 100 } })).damagedRecords, 1);
  await world.store.alter(pack, flipAt(200));
  const outcome = await world.check({ readData: { percent: 100 } });
  assert.deepEqual([outcome.healedRecords, outcome.damagedRecords], [1, 0]);
  assert.ok((await world.restore("one", content.length)).content.equals(content));
});

test("a damage that a lost index knew is found again", async () => {
  const world = await makeWorld();
  world.write(noise(7, 3 * chunk));
  await world.backup("one");
  await world.store.alter(await world.dataPack(), flipAt(200));
  await world.check({ readData: { percent: 100 } });
  await world.reopen(() => {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(world.indexPath + suffix, { force: true });
  });
  assert.deepEqual(await world.core.damage(tenant), []);
  const outcome = await world.check({ readData: { percent: 100 } });
  assert.deepEqual([outcome.damagedRecords, outcome.damagedBackups.length], [1, 1]);
});

test("a limited rate slows what reads, by its own limit and by that of all", async () => {
  let nowUs = 1e15;
  const waits: number[] = [];
  const clock: Clock = {
    nowUs: () => nowUs,
    async sleep(ms, signal) {
      // What keeps the session waits a minute each time.
      if (ms >= 60_000) return await new Promise((resolve) => signal?.addEventListener("abort", () => resolve()));
      waits.push(ms);
      nowUs += ms * 1000;
    },
  };
  for (const bandwidth of [{ allBytes: chunk }, { taskBytes: chunk }]) {
    waits.length = 0;
    const store = new BrittleStore();
    const indexPath = join(folder, `paced-${++names}.db`);
    const core = await EngineCore.over(store, { indexPath, masterKey, laneCount: 1, bandwidth }, systemRandom, clock);
    opened.push(core);
    const path = join(folder, `paced-${names}`);
    writeFileSync(path, noise(9, 20 * chunk));
    await core.backup({ tenant, backupId: "one", source: { kind: "file", path }, document: {}, chunkBytes: chunk, compressionLevel: 1 }, {});
    assert.ok(waits.reduce((sum, ms) => sum + ms, 0) >= 18_999, `${waits.join()} ms for 20 chunks at one a second`);
  }
});

test("without a key: any change of a pack, and of what is clear of a root object, is found", async () => {
  const world = await makeWorld();
  world.write(noise(11, 3 * chunk));
  await world.backup("one");
  const sound = await scrubStore(world.store);
  assert.deepEqual([sound.findings, sound.packs, sound.records, sound.roots], [[], 2, 4, 1]);
  const pack = await world.dataPack();
  const { length } = await world.store.get(pack);
  for (let at = 0; at < length; at += 997) {
    await world.store.alter(pack, flipAt(at));
    assert.deepEqual(
      (await scrubStore(world.store)).findings.map(({ object }) => object),
      [pack],
      `byte ${at}`,
    );
    await world.store.alter(pack, flipAt(at));
  }
  const root = `t/${tenant}/roots/one`;
  for (const change of [flipAt(0), flipAt(41), (bytes: Uint8Array) => bytes.slice(0, -1)]) {
    const before = await world.store.get(root);
    await world.store.alter(root, change);
    assert.equal((await scrubStore(world.store)).findings.length, 1);
    await world.store.alter(root, () => before);
  }
});
