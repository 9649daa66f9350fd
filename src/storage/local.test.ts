import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LocalStore } from "./local.ts";
import { StorageError } from "./store.ts";
import { storageContract } from "./suite.ts";

const base = mkdtempSync(join(tmpdir(), "opencbr-store-"));
after(() => rmSync(base, { recursive: true, force: true }));
let last = base;
let count = 0;
const newFolder = (): string => (last = join(base, String(count++)));

storageContract(
  "local",
  () => LocalStore.open(newFolder()),
  () => LocalStore.open(last),
);

test("local: what an unfinished write left is swept at open; objects stay", async () => {
  const path = newFolder();
  const first = await LocalStore.open(path);
  await first.putIfAbsent("k", [Buffer.from("kept")]);
  writeFileSync(join(path, "tmp", "12-3"), "half an obj");
  const second = await LocalStore.open(path);
  assert.deepEqual(readdirSync(join(path, "tmp")), []);
  assert.equal(Buffer.from(await second.get("k")).toString(), "kept");
});

test("local: an object is a file of its own, for its owner only, and its store's location is no path", async () => {
  const path = newFolder();
  const store = await LocalStore.open(path);
  await store.putIfAbsent("t/a/k", [Buffer.from("12"), Buffer.from("3")]);
  assert.equal(store.pathOf("t/a/k"), join(path, "objects/t/a/k"));
  assert.equal(readFileSync(store.pathOf("t/a/k"), "utf8"), "123");
  assert.equal(statSync(store.pathOf("t/a/k")).mode & 0o777, 0o600);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.ok(!store.location.includes("/"));
  assert.throws(() => store.pathOf("../../etc/passwd"), StorageError);
});

test("local: a folder that may not be written is readOnly, and a repeat succeeds once it may", async () => {
  const path = newFolder();
  const store = await LocalStore.open(path);
  const asRoot = process.getuid?.() === 0;
  const refused = (error: unknown): boolean => error instanceof StorageError && error.code === "readOnly";
  chmodSync(join(path, "tmp"), 0o500);
  if (asRoot) process.seteuid?.(65534);
  try {
    await assert.rejects(store.putIfAbsent("x/k", [Buffer.from("x")]), refused);
    await assert.rejects(LocalStore.open(join(path, "new")), refused);
  } finally {
    if (asRoot) process.seteuid?.(0);
    chmodSync(join(path, "tmp"), 0o700);
  }
  assert.equal(await store.putIfAbsent("x/k", [Buffer.from("x")]), "stored");
});

test("local: a write that runs out of space is noSpace and leaves neither object nor temporary file", async () => {
  const path = newFolder();
  const script = `
    import { LocalStore } from ${JSON.stringify(fileURLToPath(new URL("./local.ts", import.meta.url)))};
    process.on("SIGXFSZ", () => {});
    const store = await LocalStore.open(process.argv[1]);
    const outcome = await store.putIfAbsent("k", [Buffer.alloc(4096), Buffer.alloc(1 << 20)]).catch((error) => error.code);
    console.log(outcome, await store.stat("k"), await store.putIfAbsent("small", [Buffer.alloc(10)]));`;
  // The limit on a file's size stands for the full disk: both end a write half-way with an error of the file system.
  const child = spawnSync("sh", ["-c", 'ulimit -f 64; exec "$0" "$@"', process.execPath, "--input-type=module", "-e", script, path], {
    encoding: "utf8",
  });
  assert.equal(child.stdout.trim(), "noSpace undefined stored", child.stderr);
  assert.deepEqual(readdirSync(join(path, "tmp")), []);
  assert.deepEqual(readdirSync(join(path, "objects")), ["small"]);
});

test("local: a key below an object's is badKey", async () => {
  const store = await LocalStore.open(newFolder());
  await store.putIfAbsent("plain", [Buffer.from("x")]);
  await assert.rejects(store.putIfAbsent("plain/below", [Buffer.from("x")]), (error) => error instanceof StorageError && error.code === "badKey");
});
