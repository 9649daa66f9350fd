import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine, RestoreOutcome } from "#repository/engine-types.ts";
import { aborted } from "../../../test/support/world.ts";
import { restoreDisks } from "./restore-disks.ts";

const target = (n: number) => ({ backupId: `b${n}`, path: `/p${n}`, sizeBytes: 100, dataBytes: 10 * n });
const outcome = (writtenBytes: number): RestoreOutcome => ({ writtenBytes, lost: [] }) as unknown as RestoreOutcome;

/** An engine whose restores end when they are told to. */
function stepwise() {
  const running = new Map<string, { end: (outcome: RestoreOutcome) => void; fail: (error: Error) => void; say: (bytes: number) => void }>();
  let most = 0;
  let started: () => void = () => {};
  const engine: Pick<Engine, "restore"> = {
    restore({ backupId }, control) {
      const { promise, resolve, reject } = Promise.withResolvers<RestoreOutcome>();
      const say = (bytesDone: number): void => control.onProgress?.({ phase: "restoring", bytesDone, bytesTotal: null });
      running.set(backupId, { end: resolve, fail: reject, say });
      most = Math.max(most, running.size);
      void aborted(control.signal!).then(() => reject(new Error(`${backupId} was stopped`)));
      started();
      return promise.finally(() => running.delete(backupId));
    },
  };
  return {
    engine,
    most: () => most,
    /** Resolves when so many run. */
    until: async (count: number) => {
      while (running.size !== count) await new Promise<void>((resolve) => (started = resolve));
      return running;
    },
  };
}

const request = { tenant: "t", allowHoles: false, signal: new AbortController().signal };

test("disks are restored three at a time, and told of in their order; progress is that of all together", async () => {
  const { engine, until, most } = stepwise();
  const begun: string[] = [];
  const said: [number, number | null][] = [];
  const all = restoreDisks(
    engine,
    { ...request, targets: [1, 2, 3, 4, 5].map(target) },
    async (each) => void begun.push(each.backupId),
    (at) => said.push([at.bytesDone, at.bytesTotal]),
  );
  const running = await until(3);
  assert.deepEqual(begun, ["b1", "b2", "b3"]);
  running.get("b3")!.say(20);
  running.get("b1")!.say(5);
  running.get("b2")!.end(outcome(2));
  while (!running.has("b4")) await new Promise(setImmediate);
  running.get("b1")!.say(6);
  for (const id of ["b4", "b3", "b1"]) running.get(id)!.end(outcome(Number(id[1])));
  while (!running.has("b5")) await new Promise(setImmediate);
  running.get("b5")!.end(outcome(5));
  assert.deepEqual(
    (await all).map((each) => each.writtenBytes),
    [1, 2, 3, 4, 5],
  );
  assert.equal(most(), 3);
  assert.deepEqual(said, [
    [20, 150],
    [25, 150],
    [46, 150],
  ]);
});

test("when one fails the others are stopped, none begins any more, and its reason is told", async () => {
  const { engine, until } = stepwise();
  const begun: string[] = [];
  const all = restoreDisks(
    engine,
    { ...request, targets: [1, 2, 3, 4].map(target) },
    async (each) => void begun.push(each.backupId),
    () => {},
  );
  (await until(3)).get("b2")!.fail(new Error("damaged"));
  await assert.rejects(all, /damaged/);
  assert.deepEqual(begun, ["b1", "b2", "b3"]);
});

test("told to stop, all are", async () => {
  const { engine, until } = stepwise();
  const stop = new AbortController();
  const all = restoreDisks(
    engine,
    { ...request, signal: stop.signal, targets: [1, 2, 3, 4].map(target) },
    async () => {},
    () => {},
  );
  await until(3);
  stop.abort();
  await assert.rejects(all, /stopped/);
});
