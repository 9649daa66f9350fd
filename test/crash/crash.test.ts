/**
 * kill -9 at random moments of backup, restore and delete, on a real service with a real data folder.
 *
 * After each restart: every backup that is listed as available reads back bit for bit, what was answered as available still is,
 * what was answered as gone stays gone, tasks end in an honest state, and no volume holds a mixture.
 * `OPENCBR_CRASH_ROUNDS` (default 200) and `OPENCBR_CRASH_SEED` (printed) set the run.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "../support/client.ts";
import { startService, type Service } from "../support/service.ts";

const rounds = Number(process.env["OPENCBR_CRASH_ROUNDS"] ?? 200);
const seed = Number(process.env["OPENCBR_CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
/** The part of the volume that holds data: two places, so that holes lie between and after them. */
const regions = [
  { offset: 0, length: 8 * MiB },
  { offset: 700 * MiB + 4096, length: 2 * MiB },
];
const imageBytes = regions.reduce((sum, region) => sum + region.length, 0);

/** Small, fast, repeatable: mulberry32. */
function generator(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const random = generator(seed);
const upTo = (n: number): number => Math.floor(random() * n);
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function fillRandom(bytes: Uint8Array): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  for (let n = 0; n < words.length; n += 1) words[n] = random() * 4_294_967_296;
}

async function readImage(client: Client, path: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (const { offset, length } of regions) {
    for (let at = 0; at < length; at += 4 * MiB) pieces.push(await client.read(path, offset + at, Math.min(4 * MiB, length - at)));
  }
  return Buffer.concat(pieces);
}

async function writeImage(client: Client, volumeId: string, image: Uint8Array, from = 0, to = imageBytes): Promise<void> {
  let start = 0;
  for (const { offset, length } of regions) {
    const [first, last] = [Math.max(from, start), Math.min(to, start + length)];
    if (first < last) await client.write(volumeId, offset + first - start, image.subarray(first, last), GiB);
    start += length;
  }
}

test(`kill -9 in ${rounds} rounds, seed ${seed}`, { timeout: 60 * 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-crash-"));
  let service: Service = await startService({ dataPath: folder });
  t.after(async () => {
    await service.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  let client = await Client.login(service.baseUrl);
  const volumeId = await client.newVolume("disk");
  const image = Buffer.alloc(imageBytes);
  fillRandom(image);
  await writeImage(client, volumeId, image);
  const vaultId = await client.newVault("vault");
  await client.bind(vaultId, volumeId);

  /** Backup id → digest of the volume when it was asked for. */
  const contentOf = new Map<string, string>();
  const answeredAvailable = new Set<string>();
  const answeredGone = new Set<string>();
  const mayVanish = new Set<string>();
  const counts = { backup: 0, restore: 0, delete: 0, completed: 0, interrupted: 0 };
  let volumeContents = new Set([digest(image)]);
  /** Milliseconds that a backup, a restore and a deletion usually take here: the kill falls before, into or shortly after them. */
  const usualMs = [150, 150, 60];

  for (let round = 1; round <= rounds; round += 1) {
    const where = `round ${round}, seed ${seed}`;
    const known = [...answeredAvailable];
    const choice = known.length < 2 ? 0 : known.length > 5 ? 2 : upTo(3);
    let backupId: string | undefined;
    if (choice === 0) {
      counts.backup += 1;
      const from = upTo(imageBytes - MiB);
      fillRandom(image.subarray(from & ~3, (from & ~3) + (upTo(MiB) & ~3)));
      await writeImage(client, volumeId, image);
      volumeContents = new Set([digest(image)]);
      const incremental = random() < 0.7;
      const { checkpoint } = await client.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId, parameters: { incremental } } });
      backupId = (await client.cbr("GET", `backups?checkpoint_id=${checkpoint.id}`)).backups[0].id;
      contentOf.set(backupId!, digest(image));
    } else if (choice === 1) {
      counts.restore += 1;
      const from = known[upTo(known.length)]!;
      await client.cbr("POST", `backups/${from}/restore`, { restore: { volume_id: volumeId } });
      volumeContents.add(contentOf.get(from)!);
    } else {
      counts.delete += 1;
      const victim = known[upTo(known.length)]!;
      answeredAvailable.delete(victim);
      mayVanish.add(victim);
      await client.cbr("DELETE", `backups/${victim}`);
    }
    const killAfterMs = random() * 1.7 * usualMs[choice]!;
    const startedMs = performance.now();
    const until = startedMs + killAfterMs;
    /** How long the operation took, when it was seen to end before the kill. */
    let tookMs: number | undefined;
    while (performance.now() < until) {
      if (backupId !== undefined) {
        const answer = await client.call("GET", `/v3/${client.projectId}/backups/${backupId}`);
        if (answer.body?.backup.status === "available") {
          answeredAvailable.add(backupId);
          tookMs ??= performance.now() - startedMs;
        }
      }
      for (const victim of mayVanish) {
        if ((await client.call("GET", `/v3/${client.projectId}/backups/${victim}`)).status !== 404) continue;
        mayVanish.delete(victim);
        answeredGone.add(victim);
        tookMs ??= performance.now() - startedMs;
      }
      await delay(1 + upTo(5));
    }
    if (tookMs !== undefined) usualMs[choice] = 0.7 * usualMs[choice]! + 0.3 * tookMs;
    else if (choice !== 1) usualMs[choice] = Math.min(2000, usualMs[choice]! * 1.1);
    await service.kill();
    service = await startService({ dataPath: folder });
    client = await Client.login(service.baseUrl);

    const openTasks = async (): Promise<any[]> =>
      (await client.cbr("GET", "operation-logs")).operation_logs.filter((task: any) => ["waiting", "running"].includes(task.status));
    await client.until(`${where}: tasks end`, async () => ((await openTasks()).length === 0 ? true : undefined), 30);

    const listed: any[] = (await client.cbr("GET", "backups")).backups;
    const available = new Set(listed.filter((backup) => backup.status === "available").map((backup) => backup.id as string));
    for (const backup of listed) {
      assert.ok(["available", "error"].includes(backup.status), `${where}: ${backup.id} is ${backup.status} with no task open`);
      assert.ok(contentOf.has(backup.id), `${where}: ${backup.id} was never asked for`);
      assert.ok(!answeredGone.has(backup.id), `${where}: ${backup.id} was answered as gone`);
      assert.ok(!mayVanish.has(backup.id), `${where}: ${backup.id} was asked to be deleted and is ${backup.status}`);
    }
    for (const victim of mayVanish) answeredGone.add(victim);
    mayVanish.clear();
    for (const id of answeredAvailable) assert.ok(available.has(id), `${where}: ${id} was answered as available`);
    for (const id of available) {
      assert.equal(digest(await readImage(client, `backups/${id}/data`)), contentOf.get(id), `${where}: ${id} does not read back`);
      answeredAvailable.add(id);
    }
    if (backupId !== undefined) counts[available.has(backupId) ? "completed" : "interrupted"] += 1;
    for (const backup of listed.filter((one) => one.status === "error")) {
      const shown = (await client.volume("GET", `backups/${backup.id}`)).backup;
      assert.ok(shown.fail_reason, `${where}: ${backup.id} failed and does not say why`);
      await client.cbr("DELETE", `backups/${backup.id}`);
      contentOf.delete(backup.id);
      answeredGone.add(backup.id);
    }
    await client.until(`${where}: failed backups deleted`, async () => ((await openTasks()).length === 0 ? true : undefined), 30);

    const volume = (await client.volume("GET", `volumes/${volumeId}`)).volume;
    assert.equal(volume.status, "available", `${where}: the volume`);
    const now = await readImage(client, `volumes/${volumeId}/data`);
    assert.ok(volumeContents.has(digest(now)), `${where}: the volume holds neither its old content nor the restored one`);
    now.copy(image);
    volumeContents = new Set([digest(image)]);

    if (round % 10 === 0 && available.size > 0) {
      const id = [...available][upTo(available.size)]!;
      const { restore } = await client.volume("POST", `backups/${id}/restore`, { restore: { name: `proof-${round}` } });
      await client.until(`${where}: proof`, async () =>
        (await client.volume("GET", `volumes/${restore.volume_id}`)).volume.status === "available" ? true : undefined,
      );
      assert.equal(digest(await readImage(client, `volumes/${restore.volume_id}/data`)), contentOf.get(id), `${where}: restored`);
      await client.volume("DELETE", `volumes/${restore.volume_id}`);
    }
  }
  t.diagnostic(`${rounds} kills: ${JSON.stringify(counts)}`);
  // A short run may by chance fall on one side only.
  if (rounds >= 40)
    assert.ok(counts.interrupted > 0 && counts.completed > 0, `kills must fall on both sides of the commit: ${JSON.stringify(counts)}`);
});
