import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

/** The folder of package.json. */
export const rootFolder = path.resolve(import.meta.dirname, "..");

/**
 * Paths relative to the root, `/`-separated, ascending: what git tracks or would track, so that a file is held to the rules before it is
 * committed. Files that are tracked but deleted in the work tree are left out.
 */
export function projectFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: rootFolder, encoding: "utf8" });
  return [...new Set(listed.split("\0"))].filter((name) => name !== "" && existsSync(path.join(rootFolder, name))).toSorted();
}

/** Our TypeScript: src, test, tools, bench and the files in the root. */
export function typeScriptFiles(): string[] {
  return projectFiles().filter((name) => name.endsWith(".ts"));
}

/** A tool in node_modules/.bin. */
export function binary(name: string): string {
  return path.join(rootFolder, "node_modules", ".bin", name);
}
