/** The tables of documents that come from code. `--write` puts them into their pages; `test/tidy.test.ts` compares. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { commandLines, createProgram } from "../src/cli/program.ts";
import { settingRows } from "../src/config.ts";
import { errorKinds, type ErrorKind } from "../src/model/errors.ts";
import { rootFolder } from "./files.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

function settingsTable(): string[] {
  const rows = settingRows.map((row) => {
    const type = row.type === "choice" ? (row.choices ?? []).join(", ") : [row.type, row.unit].filter((part) => part !== "").join(", ");
    const fallback = row.default === "" ? "–" : `\`${row.default}\``;
    return `| \`${row.flag}\` | \`${row.variable}\` | ${cell(type)} | ${fallback} | ${cell(row.doc)} |`;
  });
  return ["| flag | variable | type | default | meaning |", "|---|---|---|---|---|", ...rows];
}

function commandsBlock(): string[] {
  const serve = () => Promise.reject(new Error("only the help text is wanted"));
  const program = createProgram({ version: "", settings: settingRows, serve, mainPath: "" });
  return ["```", ...commandLines(program).map((line) => line.trim()), "```"];
}

/** The codes come from the code, the meaning stays as it was written; a new error gets an empty one, which the house rules refuse. */
function errorsTable(page: string): string[] {
  const meanings = new Map([...page.matchAll(/^\| `(\w+)` \| \d+ \|[^|]*\|[^|]*\| (.*) \|$/gm)].map((row) => [row[1] as string, row[2] as string]));
  const rows = Object.entries(errorKinds as Record<string, ErrorKind>).map(
    ([name, kind]) =>
      `| \`${name}\` | ${kind.status} | \`${kind.cbr}\` | ${kind.vbs === undefined ? "–" : `\`${kind.vbs}\``} | ${meanings.get(name) ?? ""} |`,
  );
  return ["| name | status | CBR | VBS | when, and what to do |", "|---|--:|---|---|---|", ...rows];
}

/** What is written between `<!-- NAME: … -->` and `<!-- end of NAME -->` of each page. */
const parts: readonly { page: string; name: string; lines(page: string): string[] }[] = [
  { page: "docs/operating.md", name: "settings", lines: settingsTable },
  { page: "docs/operating.md", name: "commands", lines: commandsBlock },
  { page: "docs/errors.md", name: "errors", lines: errorsTable },
];

/** Each page as it should be. Throws when a page lacks the marks of its part. */
export function documentsAsTheyShouldBe(): Map<string, string> {
  const pages = new Map<string, string>();
  for (const part of parts) {
    const { page, name } = part;
    const text = pages.get(page) ?? readFileSync(path.join(rootFolder, page), "utf8");
    const opening = `<!-- ${name}: written by \`npm run docs\` -->`;
    const closing = `<!-- end of ${name} -->`;
    const from = text.indexOf(opening);
    const to = text.indexOf(closing);
    if (from === -1 || to < from) throw new Error(`${page} lacks the marks ${opening} and ${closing}`);
    pages.set(page, `${text.slice(0, from)}${[opening, "", ...part.lines(text), "", closing].join("\n")}${text.slice(to + closing.length)}`);
  }
  return pages;
}

if (import.meta.main && process.argv.includes("--write")) {
  for (const [page, text] of documentsAsTheyShouldBe()) {
    writeFileSync(path.join(rootFolder, page), text);
    console.log(`${page} written`);
  }
}
