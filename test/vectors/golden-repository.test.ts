/** A repository that was written when format v1 was settled: whatever cannot restore it cannot read what users have stored. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Engine } from "#repository/engine-types.ts";
import { startEngine } from "#repository/engine.ts";
import { loadMasterKey } from "#repository/master-key.ts";
import { eachDay, type GoldenBackup, goldenFolder, goldenMasterKey, goldenTenant } from "./make-golden-repository.ts";

const expectedFile = join(goldenFolder, "expected.json");
const expected: { tenant: string; chunkBytes: number; backups: GoldenBackup[] } = JSON.parse(readFileSync(expectedFile, "utf8"));

let folder: string;
let engine: Engine;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-golden-"));
  cpSync(goldenFolder, folder, { recursive: true });
  const keyFile = join(folder, "master-key.txt");
  chmodSync(keyFile, 0o600); // Git keeps no such modes.
  engine = await startEngine({
    storePath: join(folder, "store"),
    indexPath: join(folder, "index.db"),
    masterKey: loadMasterKey(keyFile),
    laneCount: 1,
  });
});
after(async () => {
  await engine?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("golden repository: what is expected is what the script that made it writes", async () => {
  assert.equal(expected.backups.length, 2);
  assert.deepEqual(await eachDay(join(folder, "disk")), expected.backups);
  assert.deepEqual(loadMasterKey(join(folder, "master-key.txt")), Buffer.from(goldenMasterKey));
  assert.equal(expected.tenant, goldenTenant);
});

test("golden repository: every backup is restored bit for bit", async () => {
  assert.deepEqual((await engine.listRoots(goldenTenant)).toSorted(), expected.backups.map(({ backupId }) => backupId).toSorted());
  for (const { backupId, baseId, sizeBytes, sha256 } of expected.backups) {
    const path = join(folder, backupId);
    await engine.restore({ tenant: goldenTenant, backupId, target: { kind: "file", path }, sizeBytes }, {});
    assert.equal(createHash("sha256").update(readFileSync(path)).digest("hex"), sha256, backupId);
    const root = await engine.readRoot(goldenTenant, backupId);
    assert.equal(root?.baseId, baseId);
    assert.equal(root?.sizeBytes, sizeBytes);
    assert.equal(root?.chunkBytes, expected.chunkBytes);
    assert.deepEqual(root?.document, { name: "gölden", backupId });
  }
});

test("golden repository: nothing in it is damaged, and its state is read", async () => {
  const { findings, packs, packsRead } = await engine.check({ tenant: goldenTenant, readData: { percent: 100 }, nowUs: 1_800_000_000_000_000 }, {});
  assert.deepEqual(findings, []);
  assert.equal(packs, 4);
  assert.equal(packsRead, 4);
  const state = await engine.readState(goldenTenant);
  assert.deepEqual(state, { writtenAtUs: 1_790_000_000_000_000, document: { format: 1, note: "a state" } });
});

test("golden repository: an incremental backup on top of it stores only what is new", async () => {
  const last = expected.backups.at(-1);
  assert.ok(last);
  const path = join(folder, "again");
  await eachDay(path);
  const outcome = await engine.backup(
    {
      tenant: goldenTenant,
      backupId: "33333333-3333-4333-8333-333333333333",
      source: { kind: "file", path },
      baseId: last.backupId,
      document: {},
      chunkBytes: expected.chunkBytes,
      compressionLevel: 1,
    },
    {},
  );
  assert.equal(outcome.newChunks, 0);
  assert.equal(outcome.newBytes, 0);
});
