#!/usr/bin/env node
// Runs src/main.ts with the Node that package-lock.json pins when this one is too old to run TypeScript as it is. Plain JavaScript for Node 20 and up.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants } from "node:os";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

if (Number(process.versions.node.split(".")[0]) >= 26) {
  process.argv[1] = main;
  await import(main);
} else {
  const node = pinnedNode();
  if (node === undefined) {
    process.stderr.write(`opencbr: needs Node 26 or newer, or the pinned one that "npm ci" installs; this is Node ${process.versions.node}\n`);
    process.exit(1);
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`opencbr: the pinned Node cannot be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function pinnedNode() {
  try {
    const found = join(
      dirname(createRequire(import.meta.url).resolve("node/package.json")),
      "bin",
      process.platform === "win32" ? "node.exe" : "node",
    );
    return existsSync(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
