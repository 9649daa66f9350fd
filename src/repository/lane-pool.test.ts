import assert from "node:assert/strict";
import { test } from "node:test";
import type { RepositoryError } from "./engine-types.ts";
import type { FromLane, ToLane } from "./lane-messages.ts";
import { LanePool } from "./lane-pool.ts";

test("a lane that dies fails the runs and is replaced by one that works", { timeout: 20_000 }, async () => {
  const pool = new LanePool(2);
  const lost = new Promise<RepositoryError>((resolve) => {
    pool.open({ onMessage: () => {}, onLaneLost: resolve });
  });
  pool.post(0, null as unknown as ToLane);
  const error = await lost;
  assert.equal(error.code, "engineStopped");
  assert.match(error.message, /lane 0 died and was replaced/);
  const keys = { chunkId: new Uint8Array(32), pageId: new Uint8Array(32), pack: new Uint8Array(32), root: new Uint8Array(32) };
  const answered = new Promise<FromLane>((resolve) => {
    const run = pool.open({ onMessage: (_lane, message) => resolve(message), onLaneLost: () => {} });
    const source = { kind: "file", path: "/absent/disk" } as const;
    pool.post(0, {
      kind: "openBackup",
      run,
      tenant: "t",
      keys,
      source,
      chunkBytes: 65536,
      sizeBytes: 1,
      compressionLevel: 1,
      packTargetBytes: 1 << 23,
    });
  });
  const answer = await answered;
  assert.equal(answer.kind, "failed");
  assert.equal(answer.kind === "failed" && answer.error.code, "notFound");
  await pool.close();
});
