import { randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import type { BackupOutcome, BackupRequest, Engine } from "../src/repository/engine-types.ts";
import { startEngine } from "../src/repository/engine.ts";

export const MIB = 1024 * 1024;

/** Wall and processor time of this process, milliseconds, for one piece of work. Processor time is what a shared machine distorts least. */
export async function measured<T>(work: () => Promise<T>): Promise<{ wallMs: number; cpuMs: number; result: T }> {
  const started = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - started, cpuMs: (user + system) / 1000, result };
}

/** Machine, commit and load, as one line. */
export function conditions(): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const load = loadavg()[0]!.toFixed(1);
  return `${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, commit ${commit}, load ${load} at the start`;
}

export const openEngine = (folder: string): Promise<Engine> =>
  startEngine({ storePath: join(folder, "store"), indexPath: join(folder, "index.db"), masterKey: randomBytes(32) });

export function backup(engine: Engine, path: string, more: Partial<BackupRequest> & { backupId: string }): Promise<BackupOutcome> {
  return engine.backup({ tenant: "bench", source: { kind: "file", path }, document: {}, chunkBytes: MIB / 4, compressionLevel: 1, ...more }, {});
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** One row of a Markdown table. */
export const row = (...cells: (string | number)[]): string => `| ${cells.join(" | ")} |`;
