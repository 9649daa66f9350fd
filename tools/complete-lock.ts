/**
 * `npm ci` refuses a lock file that lacks an optional package of another platform, and npm leaves such packages out when it makes the lock file
 * against a registry that does not carry them. This adds them: name and version from the package that wants them, platform from the name, no
 * integrity, since nobody here has seen them. `--write` changes package-lock.json; without it, what is missing is listed and the exit code is 1.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { rootFolder } from "./files.ts";

interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

export interface Lock {
  packages: Record<string, LockEntry>;
}

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

function platformOf(name: string): Pick<LockEntry, "os" | "cpu" | "libc"> | undefined {
  const words = name.split(/[^a-z0-9]+/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.startsWith("musl")) ? "musl" : words.some((word) => word.startsWith("gnu")) ? "glibc" : undefined;
  return { cpu: [cpu], ...(libc === undefined || os !== "linux" ? {} : { libc: [libc] }), os: [os] };
}

/** Entries that the lock file lacks, by their place in it. Throws where a version is not exact or a name tells no platform. */
export function missingPlatformPackages(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const [place, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const at = `node_modules/${name}`;
      if (lock.packages[at] !== undefined || lock.packages[`${place}/${at}`] !== undefined) continue;
      const platform = platformOf(name);
      if (platform === undefined || !/^\d+\.\d+\.\d+[-\w.]*$/.test(version))
        throw new Error(`${place} wants ${name} ${version}: no exact version or no platform`);
      missing[at] = { version, ...(entry.dev === true ? { dev: true } : {}), optional: true, ...platform };
    }
  }
  return missing;
}

if (import.meta.main) {
  const file = path.join(rootFolder, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8")) as Lock;
  const missing = missingPlatformPackages(lock);
  const names = Object.keys(missing);
  if (process.argv.includes("--write")) {
    const [root, ...rest] = Object.entries(lock.packages);
    if (root === undefined) throw new Error("package-lock.json is empty");
    const packages = Object.fromEntries([root, ...[...rest, ...Object.entries(missing)].toSorted(([a], [b]) => a.localeCompare(b, "en"))]);
    writeFileSync(file, `${JSON.stringify({ ...lock, packages }, undefined, 2)}\n`);
    console.log(`package-lock.json: ${names.length} packages of other platforms added, ${Object.keys(packages).length} in all`);
  } else {
    for (const name of names) console.error(`package-lock.json lacks ${name}`);
    process.exitCode = names.length === 0 ? 0 : 1;
  }
}
