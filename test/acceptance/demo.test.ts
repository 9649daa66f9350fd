import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "../support/client.ts";
import { runCommand, startService } from "../support/service.ts";

const MiB = 1024 * 1024;

test("the demo does the main job on a private service and on a running one, compares, and leaves nothing behind", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-demo-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const image = join(folder, "image.raw");
  const file = openSync(image, "w");
  writeSync(file, randomBytes(12 * MiB), 0, 12 * MiB, 3 * MiB);
  writeSync(file, Buffer.alloc(8 * MiB, "compressible "), 0, 8 * MiB, 30 * MiB);
  closeSync(file);
  truncateSync(image, 48 * MiB);
  const before = readFileSync(image);
  const temporary = join(folder, "tmp");
  const run = async (args: string[]): Promise<any> => {
    const { code, stdout, stderr } = await runCommand(["demo", "--image", image, "--json", ...args], { TMPDIR: folder });
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout);
    assert.equal(report.equal, true);
    assert.deepEqual(
      report.backups.map((backup: { incremental: boolean }) => backup.incremental),
      [false, true],
    );
    const [first, second] = report.backups.map((backup: { figures: object }) => backup.figures);
    assert.equal(first.read_bytes >= 20 * MiB, true);
    assert.ok(first.stored_bytes > 12 * MiB && first.stored_bytes < 16 * MiB, String(first.stored_bytes));
    assert.ok(second.new_bytes > 0 && second.new_bytes < first.new_bytes);
    assert.ok(report.image.changed_bytes > 0.01 * report.image.data_bytes && report.image.changed_bytes < 0.03 * report.image.data_bytes);
    assert.equal(report.show_backup.cbr.backup.id, report.backups[1].id);
    assert.equal(report.show_backup.vbs3.backup.is_incremental, true);
    assert.match(report.show_backup.vbs2.backup.service_metadata, /^ .* $/s);
    assert.notEqual(report.restores[0].sha256, report.restores[1].sha256);
    return report;
  };
  assert.equal((await run([])).service.private, true);
  const service = await startService({ dataPath: join(folder, "data") });
  try {
    assert.equal((await run(["--endpoint", service.baseUrl])).service.private, false);
    const client = await Client.login(service.baseUrl);
    assert.equal((await client.cbr("GET", "vaults")).count, 0);
    assert.deepEqual((await client.volume("GET", "volumes")).volumes, []);
  } finally {
    await service.stop();
  }
  assert.deepEqual(readFileSync(image), before, "the image itself was changed");
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("opencbr-")),
    [],
    temporary,
  );
});
