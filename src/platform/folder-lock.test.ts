import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FolderLockedError, lockFolder } from "./folder-lock.ts";

const module = fileURLToPath(new URL("./folder-lock.ts", import.meta.url));

test("a folder is one process's, and free again after kill -9", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-lock-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const holder = `
    import { lockFolder } from ${JSON.stringify(module)};
    globalThis.lock = lockFolder(process.argv[1]);
    console.log("held");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", holder, folder], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  assert.throws(() => lockFolder(folder), FolderLockedError);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = lockFolder(folder);
  assert.throws(() => lockFolder(folder), FolderLockedError, "also within one process");
  lock.release();
  lockFolder(folder).release();
});

test("a folder that is not there is another error", () => {
  assert.throws(
    () => lockFolder(join(tmpdir(), "opencbr-none", "such")),
    (error: unknown) => !(error instanceof FolderLockedError),
  );
});
