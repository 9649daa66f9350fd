import { readFileSync } from "node:fs";
import path from "node:path";
import { rootFolder, typeScriptFiles } from "./files.ts";
import { importsOf, type Import } from "./imports.ts";
import { closedDoorMessage, doorBetween, folderIsPublic, roomNames, rootReaders, rooms, type RoomName } from "./layers.ts";

const asRoom = (name: string | undefined): RoomName | undefined => roomNames.find((room) => room === name);

/**
 * What is wrong with one import of `file` (relative to the project, `src/<room>/…`), or undefined.
 * A test may reach through every door, since it puts real parts together; it is still held to how a room is named.
 */
export function judgeImport(file: string, found: Import): string | undefined {
  const [, ...inSrc] = file.split("/");
  const from = inSrc.length > 1 ? asRoom(inSrc[0]) : undefined;
  if (inSrc.length > 1 && from === undefined) return `src/${inSrc[0]} is no room of tools/layers.ts`;
  const isTest = file.endsWith(".test.ts");
  const { specifier } = found;

  if (specifier.startsWith(".")) {
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
    const inside = target.startsWith("src/") ? target.split("/")[1] : undefined;
    if (from === undefined) return inside === undefined && !isTest ? "leaves src/" : undefined;
    if (inside === from || (isTest && inside === undefined)) return undefined;
    return `another room is imported as #room/file.ts, not as ${specifier}`;
  }
  if (!specifier.startsWith("#")) {
    if (from !== undefined && rooms[from].pure === true && !isTest) return closedDoorMessage(from, specifier);
    return undefined;
  }

  const segments = specifier.slice(1).split("/");
  if (!specifier.endsWith(".ts")) return `${specifier} must end in .ts`;
  if (segments.length === 1) {
    if (from === undefined || rootReaders.includes(from) || isTest) return undefined;
    return closedDoorMessage(from, `${specifier} (the composition root)`);
  }
  const to = asRoom(segments[0]);
  if (to === undefined) return `#${segments[0]} is no room of tools/layers.ts`;
  if (from === to) return `a room imports its own files by relative path, not as ${specifier}`;
  if (from === undefined || isTest) return undefined;
  const door = doorBetween(from, to);
  if (door === "closed") return closedDoorMessage(from, to);
  if (door === "types" && !found.typesOnly) return closedDoorMessage(from, to, true);
  if (segments.length > 2 && !folderIsPublic(from, to, segments[1] as string)) {
    return `#${to}/${segments[1]}/ is private to ${to}; export what you need from a file directly in #${to}/`;
  }
  return undefined;
}

export interface LayersReport {
  files: number;
  imports: number;
  /** Imports that cross from one room to another. */
  crossings: number;
  problems: string[];
}

/** Every import of every file in src/ against the table of doors. */
export function checkLayers(): LayersReport {
  const report: LayersReport = { files: 0, imports: 0, crossings: 0, problems: [] };
  for (const file of typeScriptFiles()) {
    if (!file.startsWith("src/")) continue;
    report.files += 1;
    for (const found of importsOf(readFileSync(path.join(rootFolder, file), "utf8"))) {
      report.imports += 1;
      if (found.specifier.startsWith("#")) report.crossings += 1;
      const problem = judgeImport(file, found);
      if (problem !== undefined) report.problems.push(`${file}:${found.line}: ${problem}`);
    }
  }
  if (report.crossings === 0) report.problems.push("no import between rooms was seen: the checker itself is broken");
  return report;
}

if (import.meta.main) {
  const report = checkLayers();
  for (const problem of report.problems) console.error(problem);
  console.log(`layers: ${report.files} files, ${report.imports} imports, ${report.crossings} between rooms, ${report.problems.length} problems`);
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
