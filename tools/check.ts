/** `npm run check`: every static check, one line each with what it looked at; fails if any of them does. */
import { spawnSync } from "node:child_process";
import { checkLayers } from "./check-layers.ts";
import { binary, projectFiles, rootFolder, typeScriptFiles } from "./files.ts";

interface Outcome {
  name: string;
  ok: boolean;
  /** What it looked at and found, one line. */
  summary: string;
  /** What to show when it failed. */
  output: string;
}

function runTool(name: string, tool: string, parameters: string[], summarise: (output: string) => string): Outcome {
  const result = spawnSync(binary(tool), parameters, {
    cwd: rootFolder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: "1" },
  });
  if (result.error !== undefined) return { name, ok: false, summary: `could not be started: ${result.error.message}`, output: "" };
  const output = `${result.stdout}${result.stderr}`;
  return { name, ok: result.status === 0, summary: summarise(output), output };
}

const occurrences = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;

function checks(): Outcome[] {
  const sources = typeScriptFiles().length;
  const layers = checkLayers();
  return [
    runTool("tsc", "tsc", ["--noEmit", "--pretty", "false"], (output) => `${sources} files, ${occurrences(output, /error TS\d+/g)} errors`),
    runTool("oxlint", "oxlint", ["--type-aware", "--deny-warnings"], (output) => {
      const files = /on (\d+) files with (\d+) rules/.exec(output);
      const found = /Found (\d+) warnings? and (\d+) errors?/.exec(output);
      return `${files?.[1] ?? "?"} files, ${files?.[2] ?? "?"} rules, ${Number(found?.[1] ?? 0) + Number(found?.[2] ?? 0)} problems`;
    }),
    runTool("oxfmt", "oxfmt", ["--check"], (output) => {
      const files = /on (\d+) files/.exec(output);
      return `${files?.[1] ?? "?"} files, ${/above (\d+) files?/.exec(output)?.[1] ?? 0} not formatted`;
    }),
    runTool(
      "knip",
      "knip",
      ["--no-progress"],
      (output) => `${sources} files, ${output.split("\n").filter((line) => / {2,}\S/.test(line)).length} unused`,
    ),
    {
      name: "layers",
      ok: layers.problems.length === 0,
      summary: `${layers.files} files, ${layers.imports} imports, ${layers.crossings} between rooms, ${layers.problems.length} problems`,
      output: layers.problems.join("\n"),
    },
  ];
}

if (projectFiles().length === 0) throw new Error("git lists no file: run this inside a clone");
const outcomes = checks();
for (const outcome of outcomes) if (!outcome.ok) console.log(`\n── ${outcome.name}\n${outcome.output.trim()}`);
console.log("");
for (const outcome of outcomes) console.log(`${outcome.ok ? "ok  " : "FAIL"} ${outcome.name}: ${outcome.summary}`);
process.exit(outcomes.every((outcome) => outcome.ok) ? 0 : 1);
