import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sha256Of } from "./digest.ts";

test("a sparse file has the digest of all its bytes, holes included", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-digest-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  for (const [sizeBytes, places] of [
    [0, []],
    [3_000_001, []],
    [9_000_001, [5000, 4_000_000]],
    [70_000, [0]],
  ] as const) {
    const file = openSync(path, "w");
    for (const at of places) writeSync(file, randomBytes(10_000), 0, 10_000, at);
    closeSync(file);
    truncateSync(path, sizeBytes);
    assert.equal(await sha256Of(path), createHash("sha256").update(readFileSync(path)).digest("hex"));
  }
});
