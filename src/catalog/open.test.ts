import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { InvariantError } from "#platform/invariant.ts";
import { CatalogError } from "./errors.ts";
import type { CatalogErrorCode } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { rowSums } from "./migrations/0006-row-sums.ts";
import { migrations } from "./migrations/index.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { openCatalog } from "./open.ts";
import { sampleBackup, sampleProject, sampleTask, sampleVault } from "./samples.ts";
import { SqliteConnection } from "./sqlite/connection.ts";
import { sqliteMigrationTarget } from "./sqlite/migration-target.ts";

const fails = (code: CatalogErrorCode, words: RegExp) => (error: unknown) =>
  error instanceof CatalogError && error.code === code && words.test(error.message);

function inFolder(name: string, body: (folder: string, path: string) => Promise<void>): void {
  test(name, async () => {
    const folder = mkdtempSync(join(tmpdir(), "catalog-open-"));
    try {
      await body(folder, join(folder, "catalog.db"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

onEachDatabase("what a transaction throws rolls all of it back", async (catalog) => {
  await assert.rejects(
    catalog.transaction(async ({ meta, tasks }) => {
      await meta.set("a", "1");
      await tasks.insert(sampleTask({ id: "t" }));
      assert.equal(await meta.get("a"), "1");
      throw new RangeError("no");
    }),
    RangeError,
  );
  assert.equal(await catalog.meta.get("a"), undefined);
  assert.equal(await catalog.tasks.get(sampleProject, "t"), undefined);
  assert.equal(await catalog.transaction(async ({ meta }) => (await meta.set("a", "2"), "done")), "done");
  assert.equal(await catalog.meta.get("a"), "2");
});

onEachDatabase("a transaction that leaves a contradiction fails at its end and can be followed by another", async (catalog) => {
  const contradiction = catalog.transaction(({ backups }) => backups.insert(sampleBackup()));
  await assert.rejects(contradiction, fails("constraint", /FOREIGN KEY/));
  await catalog.transaction(({ meta }) => meta.set("a", "1"));
  assert.equal(await catalog.meta.get("a"), "1");
});

onEachDatabase("transactions that await do not mix, and nobody sees what is not committed", async (catalog) => {
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
  await catalog.meta.set("n", "0");
  const increment = () =>
    catalog.transaction(async ({ meta }) => {
      const before = Number(await meta.get("n"));
      await pause();
      await meta.set("n", "between");
      await pause();
      await meta.set("n", String(before + 1));
    });
  const seen: (string | undefined)[] = [];
  const incremented = Promise.all(Array.from({ length: 20 }, increment));
  for (let i = 0; i < 30; i++) {
    seen.push(await catalog.meta.get("n"));
    await pause();
  }
  await incremented;
  assert.equal(await catalog.meta.get("n"), "20");
  assert.ok(seen.length > 0);
  assert.ok(!seen.includes("between"), seen.join());
});

onEachDatabase("a view is never of an uncommitted backup", async (catalog) => {
  const vault = sampleVault();
  const backup = sampleBackup({ vaultId: vault.id, checkpointId: "c" });
  let looked: Promise<unknown> | undefined;
  await assert.rejects(
    catalog.transaction(async (tables) => {
      await tables.vaults.insert(vault);
      await tables.backups.insert(backup);
      assert.equal((await tables.backups.view(sampleProject, backup.id))?.backup.id, backup.id);
      throw new Error("no");
    }),
  );
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => (enter = resolve));
  let leave = (): void => {};
  const left = new Promise<void>((resolve) => (leave = resolve));
  const transaction = catalog.transaction(async (tables) => {
    await tables.vaults.insert(vault);
    await tables.backups.insert(backup);
    enter();
    await left;
    throw new Error("no");
  });
  await entered;
  looked = catalog.backups.view(sampleProject, backup.id);
  leave();
  await assert.rejects(transaction);
  assert.equal(await looked, undefined);
});

onEachDatabase("a write outside of the transaction from within it is refused instead of waiting for ever", async (catalog) => {
  await assert.rejects(
    catalog.transaction(() => catalog.meta.set("a", "1")),
    InvariantError,
  );
  await assert.rejects(
    catalog.transaction(() => catalog.transaction(async () => {})),
    InvariantError,
  );
  await catalog.meta.set("a", "2");
});

inFolder("a catalog keeps what was committed, and its file can be opened again", async (_folder, path) => {
  const first = await openCatalog({ path });
  await first.meta.set("a", "1");
  await first.close();
  await first.close();
  await assert.rejects(first.meta.get("a"), fails("closed", /is closed/));
  const second = await openCatalog({ path });
  assert.equal(await second.meta.get("a"), "1");
  await second.close();
});

inFolder("reads do not wait for a transaction that is under way", async (_folder, path) => {
  const catalog = await openCatalog({ path });
  await catalog.meta.set("a", "before");
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const transaction = catalog.transaction(async ({ meta }) => {
    await meta.set("a", "after");
    await gate;
  });
  assert.equal(await catalog.meta.get("a"), "before");
  release();
  await transaction;
  assert.equal(await catalog.meta.get("a"), "after");
  await catalog.close();
});

inFolder("a database of a newer program is refused and left alone", async (_folder, path) => {
  await (await openCatalog({ path })).close();
  const database = new DatabaseSync(path);
  database.exec("update schema_version set version = 999");
  await assert.rejects(openCatalog({ path }), fails("newerSchema", /schema 999.*newer program/));
  assert.deepEqual({ ...database.prepare("select version from schema_version").get() }, { version: 999 });
  database.close();
});

inFolder("a catalog from before its rows were summed is opened, and summed from then on", async (_folder, path) => {
  const before = new SqliteConnection(path, { readOnly: false, busyTimeoutMs: 1 });
  migrate(
    sqliteMigrationTarget(before),
    migrations.filter(({ version }) => version < rowSums.version),
  );
  before.execute("insert into meta values ('a', '1')");
  before.close();
  const catalog = await openCatalog({ path });
  assert.equal(await catalog.meta.get("a"), "1");
  await catalog.meta.set("b", "2");
  assert.deepEqual(await catalog.damage(), []);
  await catalog.close();
  const database = new DatabaseSync(path);
  database.exec("update meta set value = '3' where key = 'a'");
  database.close();
  await assert.rejects(openCatalog({ path }), fails("corrupt", /rows of meta are not what was written/));
});

inFolder("a file that is not a catalog is refused", async (_folder, path) => {
  writeFileSync(path, "not a database at all, but long enough to be looked at as one ".repeat(20));
  await assert.rejects(openCatalog({ path }), fails("notADatabase", /not a database/));
  rmSync(path);
  const foreign = new DatabaseSync(path);
  foreign.exec("create table theirs (a)");
  foreign.close();
  await assert.rejects(openCatalog({ path }), fails("notADatabase", /something else/));
  await assert.rejects(openCatalog({ path: join(path, "..", "missing", "c.db") }), fails("cannotOpen", /missing does not exist/));
  const occupied = join(path, "..", "folder");
  mkdirSync(occupied);
  await assert.rejects(openCatalog({ path: occupied }), fails("cannotOpen", /not a regular file/));
});

inFolder("a damaged page is told as corrupt, not as an empty result", async (_folder, path) => {
  const catalog = await openCatalog({ path });
  for (let i = 0; i < 50; i++) await catalog.meta.set(`key-${i}`, "v".repeat(500));
  await catalog.close();
  const bytes = readFileSync(path);
  bytes.fill(0xee, 8192);
  writeFileSync(path, bytes);
  await assert.rejects(
    (async () => {
      const damaged = await openCatalog({ path });
      try {
        for (let i = 0; i < 50; i++) await damaged.meta.get(`key-${i}`);
      } finally {
        await damaged.close();
      }
    })(),
    fails("corrupt", /damaged/),
  );
});

inFolder("another process's lock is told as locked after the wait", async (_folder, path) => {
  const catalog = await openCatalog({ path, busyTimeoutMs: 1 });
  const intruder = new DatabaseSync(path);
  intruder.exec("begin immediate");
  await assert.rejects(catalog.meta.set("a", "1"), fails("locked", /locked by another process/));
  assert.equal(await catalog.meta.get("a"), undefined);
  intruder.exec("rollback");
  intruder.close();
  await catalog.meta.set("a", "1");
  await catalog.close();
});

inFolder("a full disk and a read-only database are told by name, and what was there stays readable", async (_folder, path) => {
  const connection = new SqliteConnection(path, { readOnly: false, busyTimeoutMs: 1 });
  migrate(sqliteMigrationTarget(connection));
  connection.execute("insert into meta values ('a', '1')");
  connection.execute("pragma max_page_count = 1");
  assert.throws(() => connection.all("insert into meta values (?, ?)", ["b", "x".repeat(100_000)]), fails("noSpace", /full/));
  assert.equal(connection.all("select * from meta", []).length, 1);
  const reader = new SqliteConnection(path, { readOnly: true, busyTimeoutMs: 1 });
  assert.throws(() => reader.execute("insert into meta values ('b', '1')"), fails("readOnly", /read-only/));
  reader.close();
  connection.close();
});

test("a folder that takes no files is told as read-only", { skip: process.getuid?.() === 0 && "root may write anywhere" }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalog-read-only-"));
  try {
    chmodSync(folder, 0o500);
    await assert.rejects(openCatalog({ path: join(folder, "catalog.db") }), fails("readOnly", /cannot be written/));
  } finally {
    chmodSync(folder, 0o700);
    rmSync(folder, { recursive: true });
  }
});

test("a migration that fails leaves the schema as it was; the next steps are run once", () => {
  const connection = new SqliteConnection(":memory:", { readOnly: false, busyTimeoutMs: 1 });
  const target = sqliteMigrationTarget(connection);
  const first = { version: 1, statements: () => ["create table one (a integer)"] };
  const broken = { version: 2, statements: () => ["create table two (a integer)", "create nonsense"] };
  const second = { version: 2, statements: () => ["create table two (a integer)"] };
  migrate(target, [first]);
  assert.throws(() => migrate(target, [first, broken]), /nonsense/);
  assert.equal(target.readVersion(), 1);
  assert.deepEqual(target.tableNames().toSorted(), ["one", "schema_version"]);
  migrate(target, [first, second]);
  migrate(target, [first, second]);
  assert.equal(target.readVersion(), 2);
  assert.deepEqual(target.tableNames().toSorted(), ["one", "schema_version", "two"]);
  connection.close();
});
