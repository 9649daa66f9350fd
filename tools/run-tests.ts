/**
 * `node tools/run-tests.ts [unit|interop|crash] [--verbose] [FILE…]`: runs a group of test files with `node --test`'s runner and ends with the
 * plain line `N passed, N failed, N skipped`. Every skipped test is named with its reason. A run that saw no test fails.
 */
import path from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import type { EventData } from "node:test";
import { finished } from "node:stream/promises";
import { inspect, parseArgs } from "node:util";
import { projectFiles, rootFolder } from "./files.ts";

/** Folders of test/ that are groups of their own, because they are slow or need other people's programs. */
const groups = ["interop", "crash", "browser"] as const;

/** Test files of a group, relative to the root. `unit` is everything that is in no other group. */
export function filesOf(group: string): string[] {
  const tests = projectFiles().filter((name) => name.endsWith(".test.ts"));
  if (group === "unit") return tests.filter((name) => !groups.some((other) => name.startsWith(`test/${other}/`)));
  return tests.filter((name) => name.startsWith(`test/${group}/`));
}

interface Counts {
  passed: number;
  failed: number;
  skipped: string[];
  failures: string[];
  sawFailedFile: boolean;
  /** What each file wrote to stderr, for a file that failed as a whole. */
  stderr: Map<string, string>;
}

function where(data: { name: string; file?: string | undefined; line?: number | undefined }): string {
  return `${data.file === undefined ? "" : `${path.relative(rootFolder, data.file)}:${data.line ?? 1} `}${data.name}`;
}

function countFailure(counts: Counts, data: EventData.TestFail): void {
  const error = data.details.error as Error & { failureType?: string };
  if (error.failureType === "subtestsFailed") return;
  counts.failed += 1;
  const wrote = data.file !== undefined && data.name === data.file ? (counts.stderr.get(data.file) ?? "").slice(-4000) : "";
  counts.failures.push(`${where(data)}\n${inspect(error.cause ?? error, { depth: 4 })}${wrote === "" ? "" : `\n${wrote}`}`);
}

async function runFiles(files: string[], options: { concurrency: number; verbose: boolean; timeoutMs: number }): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: [], failures: [], sawFailedFile: false, stderr: new Map() };
  const stream = run({
    files: files.map((name) => path.join(rootFolder, name)),
    concurrency: options.concurrency,
    timeout: options.timeoutMs,
  });
  stream.on("test:pass", (data) => {
    if (data.details.type === "suite") return;
    if (data.skip !== undefined || data.todo !== undefined) {
      const reason = typeof data.skip === "string" && data.skip !== "" ? data.skip : "no reason given";
      counts.skipped.push(`${where(data)}: ${reason}`);
    } else counts.passed += 1;
  });
  stream.on("test:fail", (data) => countFailure(counts, data));
  stream.on("test:stderr", (data) => {
    counts.stderr.set(data.file, `${counts.stderr.get(data.file) ?? ""}${data.message}`);
    if (options.verbose) process.stderr.write(data.message);
  });
  stream.on("test:summary", (data) => {
    if (data.file === undefined) {
      counts.sawFailedFile ||= !data.success;
      return;
    }
    const state = data.success ? "ok  " : "FAIL";
    if (!options.verbose)
      console.log(`${state} ${path.relative(rootFolder, data.file)} (${data.counts.tests} tests, ${Math.round(data.duration_ms)} ms)`);
  });
  const end = finished(stream);
  if (options.verbose) stream.compose(spec).pipe(process.stdout);
  else stream.resume();
  await end;
  return counts;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { verbose: { type: "boolean", default: false }, concurrency: { type: "string" } },
});
const group = positionals[0] ?? "unit";
const known: readonly string[] = ["unit", ...groups];
const files = known.includes(group) ? filesOf(group) : positionals;
const verbose = values.verbose;
const concurrency = Number(values.concurrency ?? (group === "crash" || group === "browser" ? 1 : 2));
console.log(`${known.includes(group) ? group : "chosen"} tests: ${files.length} files`);
const counts = await runFiles(files, { concurrency, verbose, timeoutMs: group === "unit" ? 180_000 : 1_200_000 });
if (counts.sawFailedFile && counts.failed === 0) {
  counts.failed = 1;
  counts.failures.push("the runner reported failure without naming a test");
}
for (const failure of counts.failures) console.log(`\nFAILED ${failure}`);
if (counts.skipped.length > 0) console.log("");
for (const skipped of counts.skipped) console.log(`SKIPPED ${skipped}`);
const seen = counts.passed + counts.failed + counts.skipped.length;
if (seen === 0) console.log(`no test of group ${group} was seen`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`);
process.exit(counts.failed > 0 || seen === 0 ? 1 : 0);
