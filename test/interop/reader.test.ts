/** docs/format/repository-v1.md suffices: a reader in Python that was written from that page alone restores what the service writes. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes, randomInt } from "node:crypto";
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startEngine } from "#repository/engine.ts";
import { destroyTenantKey, rotateMasterKey } from "#repository/key-rotation.ts";
import { systemRandom } from "#platform/random.ts";
import { LocalStore } from "#storage/local.ts";
import { eachDay, type GoldenBackup, goldenFolder, goldenMasterKey } from "../vectors/make-golden-repository.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const here = import.meta.dirname;
const venv = join(here, "../../.cache/interop/reader");
const python = join(venv, "bin/python");
const requirements = join(here, "reader/requirements.txt");

const hasVenv = spawnSync("python3", ["-m", "venv", "--help"], { stdio: "ignore" }).status === 0;
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

let folder: string;
let keyFile: string;

function read(store: string, args: string[], key = keyFile): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(python, ["-B", join(here, "reader/reader.py"), "--store", store, "--key", key, ...args], {
    encoding: "utf8",
    timeout: 2 * 60_000,
  });
}

const listed = (stdout: string): any[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

let outs = 0;
const newOut = (): string => join(folder, `out-${++outs}`);

function restores(store: string, backupId: string, wanted: { sizeBytes: number; sha256: string }): string {
  const out = newOut();
  const { status, stderr } = read(store, ["restore", backupId, out]);
  assert.equal(status, 0, stderr);
  assert.equal(statSync(out).size, wanted.sizeBytes);
  assert.equal(sha256(out), wanted.sha256, backupId);
  rmSync(out);
  return stderr;
}

/** A copy of the golden store in which one bit of one object is another, at each offset that `at` tells from the object's size. */
function flipped(objectPath: string, ...at: ((size: number) => number)[]): string {
  const store = newOut();
  cpSync(join(goldenFolder, "store"), store, { recursive: true });
  const path = join(store, "objects", objectPath);
  const bytes = readFileSync(path);
  for (const offsetOf of at) {
    const offset = offsetOf(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x10, offset);
  }
  writeFileSync(path, bytes);
  return store;
}

describe("independent reader", { skip: hasVenv ? false : "python3 with venv is not on this machine" }, () => {
  const expected: { tenant: string; backups: GoldenBackup[] } = JSON.parse(readFileSync(join(goldenFolder, "expected.json"), "utf8"));
  const golden = join(goldenFolder, "store");
  const tenantFolder = join("t", expected.tenant);
  const [full, incremental] = expected.backups as [GoldenBackup, GoldenBackup];
  /** Packs of the golden store by kind, as their headers tell. */
  const packs = (kind: 1 | 2): string[] =>
    readdirSync(join(golden, "objects", tenantFolder, "packs"), { recursive: true, encoding: "utf8" })
      .map((name) => join(tenantFolder, "packs", name))
      .filter((name) => statSync(join(golden, "objects", name)).isFile() && readFileSync(join(golden, "objects", name))[10] === kind);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "opencbr-reader-"));
    keyFile = join(folder, "key");
    writeFileSync(keyFile, `opencbr-master-key-v1\n${Buffer.from(goldenMasterKey).toString("hex")}\n`, { mode: 0o600 });
    const ready = join(venv, "ready");
    const wanted = readFileSync(requirements, "utf8");
    if (existsSync(ready) && readFileSync(ready, "utf8") === wanted) return;
    execFileSync("python3", ["-m", "venv", venv]);
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
    writeFileSync(ready, wanted);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("lists and restores the golden repository", () => {
    const { status, stdout, stderr } = read(golden, ["list"]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(
      listed(stdout).map(({ tenant, backupId, baseId, sizeBytes }) => ({ tenant, backupId, baseId, sizeBytes })),
      expected.backups.map(({ backupId, baseId, sizeBytes }) => ({ tenant: expected.tenant, backupId, baseId, sizeBytes })),
    );
    for (const backup of expected.backups) restores(golden, backup.backupId, backup);
  });

  test("restores what today's service writes: a random sparse disk and two increments", async () => {
    const store = join(folder, "fresh");
    const masterKey = randomBytes(32);
    writeFileSync(keyFile, `opencbr-master-key-v1\n${masterKey.toString("base64")}\n`);
    const disk = join(folder, "disk");
    const sizeBytes = 66 * MIB + randomInt(1, 64 * KIB);
    const engine = await startEngine({ storePath: store, indexPath: join(folder, "index.db"), masterKey, laneCount: 1 });
    const backups: { backupId: string; sizeBytes: number; sha256: string }[] = [];
    try {
      const fd = openSync(disk, "w");
      ftruncateSync(fd, sizeBytes);
      for (let day = 0; day < 3; day++) {
        for (let write = 0; write < 12; write++) {
          const length = randomInt(1, 300 * KIB);
          const bytes = write % 3 === 0 ? randomBytes(length) : Buffer.alloc(length, write % 3 === 1 ? "abcdefg" : "\0");
          writeSync(fd, bytes, 0, length, randomInt(0, sizeBytes - length + 1));
        }
        writeSync(fd, randomBytes(10), 0, 10, sizeBytes - 10);
        const backupId = `day-${day}`;
        await engine.backup(
          {
            tenant: "tenant.one",
            backupId,
            source: { kind: "file", path: disk },
            ...(day > 0 && { baseId: `day-${day - 1}` }),
            document: { day },
            chunkBytes: 64 * KIB,
            compressionLevel: day,
          },
          {},
        );
        backups.push({ backupId, sizeBytes, sha256: sha256(disk) });
      }
      closeSync(fd);
    } finally {
      await engine.close();
    }
    assert.equal(new Set(backups.map((one) => one.sha256)).size, 3);
    for (const backup of backups) restores(store, backup.backupId, backup);
    const { stdout } = read(store, ["list"]);
    assert.deepEqual(
      listed(stdout).map((one) => one.baseId),
      [null, "day-0", "day-1"],
    );
    writeFileSync(keyFile, `opencbr-master-key-v1\n${Buffer.from(goldenMasterKey).toString("hex")}\n`);
  });

  test("a flipped bit is refused by name, and nothing is left behind", () => {
    const records = packs(1).map((name) => [name, () => 32 + 72 + 5, "corruptChunk"] as const);
    assert.equal(records.length, 2);
    const cases = [
      ...records,
      ...packs(2).map((name) => [name, () => 32 + 72 + 5, "corruptPage"] as const),
      [join(tenantFolder, "roots", incremental.backupId), (size: number) => size - 1, "corruptRoot"],
      [join(tenantFolder, "roots", incremental.backupId), () => 20, "corruptRoot"],
      [join(tenantFolder, "key"), (size: number) => size - 20, "wrongMasterKey"],
    ] as const;
    for (const [name, at, error] of cases) {
      const store = flipped(name, at);
      // Each pack is of one of the two backups.
      const refusals = expected.backups.flatMap(({ backupId }) => {
        const out = newOut();
        const { status, stderr } = read(store, ["restore", backupId, out]);
        assert.equal(existsSync(out), status === 0, "an output is there exactly after success");
        return status === 0 ? [] : [stderr];
      });
      assert.ok(refusals.length > 0, `${name} was not noticed`);
      for (const stderr of refusals) assert.match(stderr, new RegExp(`^${error}: `), name);
    }
  });

  test("a pack whose trailer is damaged is read from its front", () => {
    for (const name of [...packs(1), ...packs(2)]) {
      const store = flipped(name, (size) => size - 100);
      assert.match(restores(store, full.backupId, full), /scanned/);
      restores(store, incremental.backupId, incremental);
    }
  });

  test("a pack whose header and trailer are both damaged is left out, and what it held is missing", () => {
    for (const name of packs(1)) {
      const header = () => 20;
      restores(flipped(name, header), incremental.backupId, incremental);
      const out = newOut();
      const { status, stderr } = read(flipped(name, header, (size) => size - 100), ["restore", incremental.backupId, out]);
      assert.equal(status, 1);
      assert.match(stderr, /^corruptPack: .*left out$[^]*^missingChunk: /m);
      assert.equal(existsSync(out), false);
    }
  });

  test("a damaged chunk that a later backup stored again is read from its second copy", async () => {
    const [name] = packs(1).toSorted((a, b) => statSync(join(golden, "objects", b)).size - statSync(join(golden, "objects", a)).size);
    assert.ok(name);
    const store = flipped(name, () => 32 + 72 + 5);
    assert.equal(read(store, ["restore", full.backupId, newOut()]).status, 1);
    const engine = await startEngine({ storePath: store, indexPath: newOut(), masterKey: goldenMasterKey, laneCount: 1 });
    try {
      const { tenant } = expected;
      const { damagedRecords } = await engine.check({ tenant, readData: { percent: 100 }, nowUs: 1_800_000_000_000_000 }, {});
      assert.equal(damagedRecords, 1);
      const path = newOut();
      let isFirst = true;
      await eachDay(path, async () => {
        if (!isFirst) return;
        isFirst = false;
        const source = { kind: "file", path } as const;
        await engine.backup({ tenant, backupId: "healing", source, document: {}, chunkBytes: 64 * KIB, compressionLevel: 1 }, {});
      });
    } finally {
      await engine.close();
    }
    for (const backup of [{ ...full, backupId: "healing" }, full, incremental]) restores(store, backup.backupId, backup);
  });

  test("a tenant's key under a new master key, and one that was destroyed", async () => {
    const store = newOut();
    cpSync(golden, store, { recursive: true });
    const key = newOut();
    writeFileSync(key, readFileSync(keyFile), { mode: 0o600 });
    const objects = await LocalStore.open(store);
    await rotateMasterKey({ path: key, store: objects, random: systemRandom, reseal: () => Promise.resolve() });
    assert.match(read(store, ["list"]).stderr, /^wrongMasterKey: the key is not listed/);
    const out = newOut();
    const { status, stderr } = read(store, ["restore", incremental.backupId, out], key);
    assert.equal(status, 0, stderr);
    assert.equal(sha256(out), incremental.sha256);
    await destroyTenantKey(objects, expected.tenant);
    assert.match(read(store, ["restore", incremental.backupId, newOut()], key).stderr, /^keyDestroyed: /);
  });

  test("another master key, and a key that others may read, are refused", () => {
    const other = join(folder, "other");
    writeFileSync(other, `opencbr-master-key-v1\n${"11".repeat(32)}\n`, { mode: 0o600 });
    assert.match(read(golden, ["list"], other).stderr, /^wrongMasterKey: the check differs/);
    cpSync(keyFile, other);
    chmodSync(other, 0o644);
    assert.match(read(golden, ["list"], other).stderr, /^wrongMasterKey: .* is open to others/);
  });
});
