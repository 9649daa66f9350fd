import assert from "node:assert/strict";
import { getPriority } from "node:os";
import { test } from "node:test";
import { MessageChannel, Worker } from "node:worker_threads";
import { Moved, Remote, serve } from "./threads.ts";
import type { Methods } from "./threads.ts";

function connected(methods: Methods): { remote: Remote; close: () => void } {
  const { port1, port2 } = new MessageChannel();
  serve(port2, methods);
  const remote = new Remote(port1, ({ name, message, code }) => Object.assign(new Error(message), { revivedFrom: name, code }));
  return { remote, close: () => port1.close() };
}

test("answers, progress and errors come back to their own call", async (t) => {
  const { remote, close } = connected({
    double: (value: number, { progress }) => {
      progress(value);
      return value * 2;
    },
    fail: () => {
      throw Object.assign(new TypeError("no"), { code: "EODD" });
    },
  });
  t.after(close);
  const seen: number[] = [];
  const answers = await Promise.all([1, 2, 3].map((value) => remote.call("double", value, { onProgress: (p: number) => seen.push(p) })));
  assert.deepEqual(answers, [2, 4, 6]);
  assert.deepEqual(seen, [1, 2, 3]);
  await assert.rejects(remote.call("fail", null), { message: "no", code: "EODD", revivedFrom: "TypeError" });
  await assert.rejects(remote.call("absent", null), { message: "no method absent" });
});

test("an abort reaches the running call, also when it came before the call", async (t) => {
  const { remote, close } = connected({
    wait: (_: null, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
    isAborted: (_: null, { signal }) => signal.aborted,
  });
  t.after(close);
  const early = AbortSignal.abort();
  assert.equal(await remote.call("isAborted", null, { signal: early }), true);
  assert.equal(await remote.call("isAborted", null, { signal: new AbortController().signal }), false);
  const late = new AbortController();
  const waiting = remote.call("wait", null, { signal: late.signal });
  setImmediate(() => late.abort());
  await assert.rejects(waiting, { message: "aborted" });
});

test("buffers move when they are said to", async (t) => {
  const { remote, close } = connected({
    make: () => {
      const bytes = new Uint8Array(8).fill(3);
      return new Moved(bytes, [bytes.buffer]);
    },
    length: (bytes: Uint8Array) => bytes.length,
  });
  t.after(close);
  assert.deepEqual(await remote.call("make", null), new Uint8Array(8).fill(3));
  const mine = new Uint8Array(5);
  assert.equal(await remote.call("length", mine, { transfer: [mine.buffer] }), 5);
  assert.equal(mine.length, 0);
});

test("when the other side is gone, everything is rejected, now and later", async (t) => {
  const { remote, close } = connected({ never: () => new Promise(() => {}) });
  t.after(close);
  const waiting = remote.call("never", null);
  remote.fail(new Error("gone"));
  await assert.rejects(waiting, { message: "gone" });
  await assert.rejects(remote.call("never", null), { message: "gone" });
});

test("a thread that yields lowers its own priority only", { skip: process.platform !== "linux" }, async () => {
  const before = getPriority(0);
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     import(workerData).then(({ yieldToOtherThreads }) => {
       yieldToOtherThreads();
       parentPort.postMessage(require("node:os").getPriority(0));
     });`,
    { eval: true, workerData: new URL("./threads.ts", import.meta.url).href },
  );
  const inWorker = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  await worker.terminate();
  assert.equal(inWorker, Math.max(before, 10));
  assert.equal(getPriority(0), before);
});
