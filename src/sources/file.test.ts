import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { pageAligned } from "#platform/native.ts";
import { joinFileTarget, openFileSource, openFileTarget } from "./file.ts";
import { SourceError } from "./source.ts";
import type { SourceErrorCode } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "file-source-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function sparse(name: string, sizeBytes: number, writes: [number, Uint8Array][]): string {
  const path = join(folder, name);
  const fd = openSync(path, "w");
  ftruncateSync(fd, sizeBytes);
  for (const [offset, bytes] of writes) writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
  return path;
}

function failsWith(code: SourceErrorCode, run: () => unknown): void {
  assert.throws(run, (error) => error instanceof SourceError && error.code === code);
}

const mib = 1024 * 1024;

test("extents tell data from holes", () => {
  const path = sparse("holes", 10 * mib + 5, [
    [2 * mib, new Uint8Array(mib).fill(1)],
    [9 * mib, new Uint8Array(mib + 5).fill(2)],
  ]);
  const source = openFileSource(path);
  assert.equal(source.sizeBytes, 10 * mib + 5);
  assert.deepEqual(
    [...source.allocatedExtents()],
    [
      { offset: 2 * mib, length: mib },
      { offset: 9 * mib, length: mib + 5 },
    ],
  );
  const into = new Uint8Array(10);
  source.read(10 * mib - 5, into);
  assert.deepEqual(into, new Uint8Array(10).fill(2));
  source.read(0, into);
  assert.deepEqual(into, new Uint8Array(10));
  source.close();
  source.close();
});

test("a file that is one hole, and one of no bytes, have no extents", () => {
  for (const size of [0, 5 * mib]) {
    const source = openFileSource(sparse(`empty-${size}`, size, []));
    assert.deepEqual([...source.allocatedExtents()], []);
    source.close();
  }
});

test("extents work in a worker thread", async () => {
  const path = sparse("worker", 4 * mib, [[mib, new Uint8Array(mib).fill(1)]]);
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     import(workerData.module).then(({ openFileSource }) => {
       const source = openFileSource(workerData.path);
       parentPort.postMessage([...source.allocatedExtents()]);
       source.close();
     });`,
    { eval: true, workerData: { path, module: new URL("./file.ts", import.meta.url).href } },
  );
  const extents = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  assert.deepEqual(extents, [{ offset: mib, length: mib }]);
  await worker.terminate();
});

test("a source that shrinks is an error, never zeros", () => {
  const path = sparse("shrinks", 2 * mib, [[0, new Uint8Array(2 * mib).fill(1)]]);
  const source = openFileSource(path);
  const before = source.changeToken();
  truncateSync(path, mib);
  failsWith("shrunk", () => source.read(mib - 10, new Uint8Array(20)));
  assert.notEqual(source.changeToken(), before);
  source.close();
});

test("the change token stays while nothing is written", () => {
  const path = sparse("token", mib, []);
  const source = openFileSource(path);
  const before = source.changeToken();
  source.read(0, new Uint8Array(100));
  assert.equal(source.changeToken(), before);
  source.close();
});

test("a pipe in the place of a file is refused at once", () => {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  failsWith("notAFile", () => openFileSource(path));
});

test("what is not a readable file is refused by name", () => {
  failsWith("notFound", () => openFileSource(join(folder, "absent")));
  failsWith("notAFile", () => openFileSource(folder));
  failsWith("notAFile", () => openFileSource("/dev/null"));
  failsWith("notFound", () => openFileTarget(join(folder, "absent", "x"), 10));
  failsWith("notAFile", () => openFileTarget("/dev/null", 10));
});

test("a target gets its size, its bytes, and holes elsewhere", async () => {
  const path = join(folder, "target");
  writeFileSync(path, new Uint8Array(12 * mib).fill(0xff));
  const target = openFileTarget(path, 8 * mib + 3);
  const second = joinFileTarget(path);
  const aligned = pageAligned(mib).fill(7);
  target.write(mib, aligned);
  second.write(8 * mib, Uint8Array.of(1, 2, 3));
  second.write(5 * mib + 1, aligned.subarray(0, 1000));
  await target.finish();
  target.close();
  second.close();
  const wanted = new Uint8Array(8 * mib + 3);
  wanted.fill(7, mib, 2 * mib);
  wanted.fill(7, 5 * mib + 1, 5 * mib + 1001);
  wanted.set([1, 2, 3], 8 * mib);
  assert.ok(readFileSync(path).equals(wanted));
  assert.ok(statSync(path).blocks * 512 < 3 * mib);
});

test("a full disk is told as such", { skip: statSync("/dev/full", { throwIfNoEntry: false }) === undefined }, () => {
  const target = joinFileTarget("/dev/full");
  failsWith("noSpace", () => target.write(0, new Uint8Array(10)));
  target.close();
});
