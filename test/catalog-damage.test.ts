/**
 * Damage of every kind at random places of a catalog's file: it is refused when it is opened, and left as it is, or everything that it answers is
 * what it was. `OPENCBR_DAMAGE_SEED` replays another row of cases.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { CatalogError } from "#catalog/errors.ts";
import { openCatalog } from "#catalog/open.ts";
import { sampleBackup, sampleCheckpoint, sampleProject, sampleServer, sampleTask, sampleVault, sampleVolume } from "#catalog/samples.ts";
import type { Catalog } from "#catalog/tables.ts";

const firstSeed = Number(process.env["OPENCBR_DAMAGE_SEED"] ?? 1);
const folder = mkdtempSync(join(tmpdir(), "catalog-damage-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "catalog.sqlite");
const page = { limit: 1000, offset: 0 };
let sound: Buffer;
let answers: string;

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Some of every noun, changed and deleted here and there, so that there are free places as well. */
async function fill(catalog: Catalog): Promise<void> {
  await catalog.meta.set("nodeId", "a node");
  await catalog.identity.insertDomain({ id: "default", name: "Default" });
  await catalog.identity.insertProject({ id: sampleProject, domainId: "default", name: "p", description: "a project", enabled: true });
  await catalog.identity.insertUser({ id: "u", domainId: "default", name: "u", passwordHash: "x", enabled: true, defaultProjectId: null });
  await catalog.identity.grantRole("u", sampleProject, "admin");
  const accessKey = { id: "ak", userId: "u", projectId: sampleProject, sealedSecret: Buffer.from("sealed"), enabled: true };
  await catalog.identity.insertAccessKey({ ...accessKey, expiresAt: null, securityTokenHash: null });
  for (let n = 0; n < 4; n++) {
    const vault = sampleVault({ id: `vault-${n}`, name: `vault ${n}` });
    const volumes = [0, 1].map((disk) => sampleVolume({ id: `volume-${n}-${disk}`, name: `disk ${disk}` }));
    const server = sampleServer({ id: `server-${n}`, disks: volumes.map(({ id }, disk) => ({ volumeId: id, systemDisk: disk === 0 })) });
    await catalog.vaults.insert(vault);
    for (const each of [...volumes, server]) await catalog.resources.insert(each);
    await catalog.vaults.bind({ vaultId: vault.id, resourceId: server.id, type: server.type, excludeVolumes: [], suspended: false });
    const checkpoint = sampleCheckpoint({ id: `checkpoint-${n}`, vaultId: vault.id });
    await catalog.transaction(async (tables) => {
      await tables.checkpoints.insert(checkpoint);
      for (let day = 0; day < 12; day++) {
        const ids = { id: `backup-${n}-${day}`, vaultId: vault.id, checkpointId: checkpoint.id, resourceId: `volume-${n}-0` };
        await tables.backups.insert(sampleBackup({ ...ids, createdAt: 1_700_000_000_000_000 + day, name: `day ${day} `.repeat(1 + day * 3) }));
        await tables.tasks.insert(sampleTask({ id: `task-${n}-${day}`, backupId: ids.id, vaultId: vault.id }));
      }
    });
    await catalog.backups.update(`backup-${n}-3`, { name: "renamed", statistics: null });
    await catalog.backups.remove(`backup-${n}-5`);
  }
  await catalog.resources.remove("server-3");
}

/** What the catalog says: every row of every table, and lists in the orders and by the conditions that its indexes serve. */
async function everything(catalog: Catalog): Promise<string> {
  const listed = [];
  for (const direction of ["asc", "desc"] as const)
    for (const key of ["created_at", "name", "status", "id"] as const)
      listed.push(await catalog.backups.list(sampleProject, {}, page, [{ key, direction }]));
  for (let n = 0; n < 4; n++) {
    for (const filter of [{ vaultId: `vault-${n}` }, { checkpointId: `checkpoint-${n}` }, { resourceId: `volume-${n}-0` }])
      listed.push(await catalog.backups.list(sampleProject, filter, page));
    listed.push(await catalog.vaults.get(sampleProject, `vault-${n}`), await catalog.vaults.resourcesOf(`vault-${n}`));
    listed.push(await catalog.backups.newestBase(sampleProject, `volume-${n}-0`), await catalog.resources.serversOf(`volume-${n}-1`));
    for (let day = 0; day < 12; day++) listed.push(await catalog.backups.view(sampleProject, `backup-${n}-${day}`));
  }
  listed.push(await catalog.vaults.list(sampleProject, {}, page), await catalog.resources.list(sampleProject, {}, page));
  listed.push(await catalog.tasks.list(sampleProject, {}, page), await catalog.identity.listAccessKeys(), await catalog.meta.get("nodeId"));
  listed.push(await catalog.identity.findUser("default", "u"), await catalog.identity.listRoles("u", sampleProject));
  return JSON.stringify(listed);
}

before(async () => {
  const catalog = await openCatalog({ path });
  await fill(catalog);
  answers = await everything(catalog);
  assert.deepEqual(await catalog.damage(), []);
  await catalog.close();
  sound = readFileSync(path);
});

/** The file with something wrong. Undefined when the dice made no change. */
function mutate(random: (below: number) => number): { what: string; bytes: Buffer } | undefined {
  const bytes = Buffer.from(sound);
  const at = random(bytes.length);
  const kinds = {
    flip: () => ((bytes[at]! ^= 1 << random(8)), bytes),
    byte: () => ((bytes[at] = random(256)), bytes),
    header: () => ((bytes[random(100)]! ^= 1 << random(8)), bytes),
    truncate: () => bytes.subarray(0, at),
    zero: () => bytes.fill(0, at, Math.min(bytes.length, at + 1 + random(5000))),
    exchange: () => bytes.copyWithin(at, random(bytes.length), random(bytes.length)),
    pages() {
      const [one, other] = [random(bytes.length / 4096) * 4096, random(bytes.length / 4096) * 4096];
      bytes.set(sound.subarray(one, one + 4096), other);
      bytes.set(sound.subarray(other, other + 4096), one);
      return bytes;
    },
    // A word that is in many rows: what SQLite takes for right most easily.
    value() {
      const word = ["available", "volume-1-0", "renamed", "day ", "SSD", "vault-2", "backup-2-1"][random(7)]!;
      const found = bytes.indexOf(word, at);
      if (found >= 0) bytes[found + random(word.length)]! ^= 1 << random(5);
      return bytes;
    },
  };
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  const name = names[random(names.length)]!;
  const changed = kinds[name]();
  return changed.equals(sound) ? undefined : { what: `${name} at ${at}`, bytes: changed };
}

test("bytes of the file: 400 cases are refused, and left as they are, or change no answer", { timeout: 170_000 }, async (t) => {
  let harmless = 0;
  let cases = 0;
  for (let seed = firstSeed; cases < 400; seed++) {
    const mutated = mutate(randomOf(seed));
    if (mutated === undefined) continue;
    cases++;
    const what = `seed ${seed}: ${mutated.what}`;
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    writeFileSync(path, mutated.bytes);
    let catalog: Catalog;
    try {
      catalog = await openCatalog({ path });
    } catch (error) {
      assert.ok(error instanceof CatalogError, `${what}: ${String(error)}`);
      assert.ok(mutated.bytes.equals(readFileSync(path)), `${what}: the file was changed`);
      continue;
    }
    try {
      // A file that was cut to nothing is a new catalog: the start of the service refuses that beside a store with backups.
      if (mutated.bytes.length > 0) assert.equal(await everything(catalog), answers, `${what}: nobody noticed`);
      if (harmless % 8 === 0) assert.deepEqual(await catalog.damage(), [], what);
      harmless++;
    } finally {
      await catalog.close();
    }
  }
  t.diagnostic(`${cases} cases, ${harmless} without effect`);
  assert.ok(harmless < cases / 2);
});

test("damage while the catalog is open is told by a look at its file, and what is written later does not hide it", async () => {
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
  writeFileSync(path, sound);
  // Wherever it stands: in the row, in an index, or in a place that is free now.
  const word = Buffer.from(sound.toString("latin1").replaceAll("renamed", "rEnamed"), "latin1");
  const catalog = await openCatalog({ path });
  // In place, as a disk would do it.
  writeFileSync(path, word, { flag: "r+" });
  assert.match((await catalog.damage()).join(), /rows of backups are not what was written/);
  for (let n = 0; n < 4; n++) await catalog.backups.update(`backup-${n}-3`, { progress: 7 });
  assert.match((await catalog.damage()).join(), /rows of backups are not what was written/);
  await catalog.close();
  await assert.rejects(openCatalog({ path }), (error) => error instanceof CatalogError && error.code === "corrupt");
});

test("bytes of the log of a catalog that was not closed: what is opened is a state that was committed, whole", { timeout: 60_000 }, async (t) => {
  const live = join(folder, "live.sqlite");
  const copy = join(folder, "copy.sqlite");
  const states: string[] = [];
  const catalog = await openCatalog({ path: live });
  await fill(catalog);
  for (let n = 0; n < 20; n++) {
    states.push(await everything(catalog));
    await catalog.backups.update("backup-1-1", { name: `state ${n}` });
  }
  states.push(await everything(catalog));
  const log = readFileSync(`${live}-wal`);
  for (let seed = firstSeed; seed < firstSeed + 60; seed++) {
    const random = randomOf(seed);
    rmSync(`${copy}-shm`, { force: true });
    copyFileSync(live, copy);
    const bytes = Buffer.from(log);
    // The last part, where the states are; before it are the tables themselves.
    const at = seed % 4 === 0 ? random(bytes.length) : bytes.length - random(20 * 4120);
    bytes[at]! ^= 1 << random(8);
    writeFileSync(`${copy}-wal`, bytes);
    let opened: Catalog;
    try {
      opened = await openCatalog({ path: copy });
    } catch (error) {
      assert.ok(error instanceof CatalogError, `seed ${seed}: ${String(error)}`);
      continue;
    }
    const now = await everything(opened);
    await opened.close();
    const isState = states.includes(now);
    // Older states are those of the filling, one row after the other: the sums have told that they are whole.
    if (!isState) assert.ok(at < bytes.length - 25 * 4120 || now.length < states[0]!.length, `seed ${seed}: byte ${at} of the log`);
  }
  await catalog.close();
  t.diagnostic(`${states.length} states, a log of ${log.length} bytes`);
});

test("sums that were emptied by hand are made anew; a table without a sum is damage", async () => {
  const byHand = join(folder, "by-hand.sqlite");
  writeFileSync(byHand, sound);
  const change = (sql: string): void => {
    const database = new DatabaseSync(byHand);
    database.exec(sql);
    database.close();
  };
  change("update vaults set name = 'by hand'");
  await assert.rejects(openCatalog({ path: byHand }), /rows of vaults are not what was written/);
  change("delete from row_sums");
  const catalog = await openCatalog({ path: byHand });
  assert.equal((await catalog.vaults.get(sampleProject, "vault-1"))?.name, "by hand");
  await catalog.close();
  change("delete from row_sums where name = 'vaults'");
  await assert.rejects(openCatalog({ path: byHand }), /rows of vaults/);
  change("drop table row_sums");
  await assert.rejects(openCatalog({ path: byHand }), /row_sums is not there/);
  assert.ok(existsSync(byHand));
});
