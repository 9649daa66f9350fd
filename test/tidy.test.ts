/** House rules as code: each says what it looked at, and fails when it looked at nothing. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { missingPlatformPackages, type Lock } from "../tools/complete-lock.ts";
import { projectFiles, rootFolder, typeScriptFiles } from "../tools/files.ts";
import { blankComments, importsOf } from "../tools/imports.ts";
import { documentsAsTheyShouldBe } from "../tools/docs.ts";
import { roomNames } from "../tools/layers.ts";

const read = (name: string) => readFileSync(path.join(rootFolder, name), "utf8");
const files = projectFiles();
const code = typeScriptFiles();
const inSrc = code.filter((name) => name.startsWith("src/"));
const pages = files.filter((name) => name.endsWith(".md"));

/** Fails with every problem, one per line; tells how much was looked at. */
function report(t: TestContext, looked: number, problems: string[]): void {
  t.diagnostic(`looked at ${looked}`);
  assert.ok(looked > 0, "looked at nothing");
  assert.equal(problems.length, 0, `\n${problems.join("\n")}`);
}

/** `file:line: text` of every line that a pattern hits. */
function hits(name: string, text: string, pattern: RegExp, why: string): string[] {
  return text.split("\n").flatMap((line, at) => (pattern.test(line) ? [`${name}:${at + 1}: ${why}: ${line.trim().slice(0, 100)}`] : []));
}

/** Code with comments and the insides of strings blanked, so that a rule about code sees only code. */
const bare = (text: string) => blankComments(text).replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (part) => `"${" ".repeat(part.length - 2)}"`);

interface Ban {
  pattern: RegExp;
  why: string;
  /** Files that may, each with its reason. */
  except: Readonly<Record<string, string>>;
}

/** `src/…` of what a file imports from src/, as far as its specifiers tell. */
function importedFrom(name: string): string[] {
  return importsOf(read(name)).flatMap(({ specifier }) => {
    if (specifier.startsWith("#")) return [`src/${specifier.slice(1)}`];
    return specifier.startsWith(".") ? [path.posix.normalize(path.posix.join(path.posix.dirname(name), specifier))] : [];
  });
}

const isTest = (name: string) => name.endsWith(".test.ts") || name.startsWith("test/");
const reachedFromAnywhere = new Set(code.flatMap(importedFrom));
const reachedFromTheProgram = new Set(inSrc.filter((name) => !isTest(name)).flatMap(importedFrom));
/** Files of src/ that only tests import: suites and samples. */
const isTestSupport = (name: string) => reachedFromAnywhere.has(name) && !reachedFromTheProgram.has(name) && /(suite|samples)\.ts$/.test(name);

/** What src/ outside platform/ may not do, and what to do instead. */
const bans: readonly Ban[] = [
  { pattern: /\bDate\.now\(|\bnew Date\(\)/, why: "ask the Clock that you are given", except: {} },
  { pattern: /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(|\brandomFillSync\(/, why: "ask the Random that you are given", except: {} },
  {
    pattern: /(?<![.\w])(?:setTimeout|setInterval)\(/,
    why: "wait through the Clock that you are given",
    except: {},
  },
];

describe("house rules", () => {
  it("exports by name", (t) => {
    const looked = code.filter((name) => !name.endsWith(".config.ts"));
    report(
      t,
      looked.length,
      looked.flatMap((name) => hits(name, bare(read(name)), /^\s*export default\b|\bas default\b/, "named exports only")),
    );
  });

  it("leaves no note to do it later", (t) => {
    const looked = files.filter((name) => /\.(ts|md|mjs|py|go|java|json|sh)$/.test(name) || name === ".ci/run");
    const pattern = new RegExp(`\\b(${["TO", "FIX", "X"].map((start, at) => `${start}${["DO", "ME", "XX"][at]}`).join("|")})\\b`);
    report(
      t,
      looked.length,
      looked.flatMap((name) => hits(name, read(name), pattern, "finish it or open an issue")),
    );
  });

  it("skips no test without a reason", (t) => {
    const looked = code.filter((name) => name.endsWith(".test.ts"));
    const bad = /\b(?:it|test|describe|suite)\.(?:skip|todo|only)\(|\bt\.skip\(\s*\)|\bskip:\s*true\b|\bonly:\s*true\b/;
    report(
      t,
      looked.length,
      looked.flatMap((name) => hits(name, bare(read(name)), bad, "give `skip` a text that says why")),
    );
  });

  it("keeps lines within 150 characters", (t) => {
    report(
      t,
      code.length,
      code.flatMap((name) => hits(name, read(name), /^.{151,}$/, "longer than 150 characters")),
    );
  });

  it("keeps files within 500 lines, unless the first comment says why not", (t) => {
    const long = code.filter((name) => {
      const text = read(name);
      const opening = /^\s*(?:\/\*[\s\S]*?\*\/|(?:\/\/[^\n]*\n)+)/.exec(text)?.[0] ?? "";
      return text.split("\n").length > 501 && !/\b(table|codec|schema)\b/i.test(opening);
    });
    report(
      t,
      code.length,
      long.map((name) => `${name}: more than 500 lines`),
    );
  });

  it("takes time and chance as parameters", (t) => {
    const looked = inSrc.filter((name) => !name.startsWith("src/platform/") && !isTest(name) && !isTestSupport(name));
    const problems = looked.flatMap((name) => {
      const text = bare(read(name));
      return bans.filter((ban) => ban.except[name] === undefined).flatMap((ban) => hits(name, text, ban.pattern, ban.why));
    });
    const idle = bans.flatMap((ban) =>
      Object.keys(ban.except).filter((name) => !existsSync(path.join(rootFolder, name)) || !ban.pattern.test(bare(read(name)))),
    );
    report(t, looked.length, [...problems, ...idle.map((name) => `${name}: its exception is not needed any more`)]);
  });

  it("prints only from the command line", (t) => {
    const looked = inSrc.filter((name) => !name.startsWith("src/cli/") && name !== "src/main.ts" && !name.endsWith(".test.ts"));
    report(
      t,
      looked.length,
      looked.flatMap((name) => hits(name, bare(read(name)), /\bconsole\.\w+\(/, "log through the Log that you are given")),
    );
  });

  it("has no file in src/ that nobody imports", (t) => {
    const entries = new Set(["src/main.ts"]);
    const dead = inSrc.filter((name) => !name.endsWith(".test.ts") && !entries.has(name) && !reachedFromAnywhere.has(name));
    report(
      t,
      inSrc.length,
      dead.map((name) => `${name}: nobody imports it`),
    );
  });

  it("names no workplace and no path of somebody's machine", (t) => {
    const words = [
      ["/wo", "rk/"],
      ["/fa", "rm/"],
      ["/ro", "ot/"],
      ["/ho", "me/"],
      ["/tmp/", "brief"],
      ["/tmp/", "bash_jobs"],
    ].map((parts) => parts.join(""));
    const looked = files.filter((name) => statSync(path.join(rootFolder, name)).size < 2_000_000 && name !== "package-lock.json");
    const pattern = new RegExp(words.map((word) => `(?<![\\w.}*-])${word}`).join("|"));
    report(
      t,
      looked.length,
      looked.flatMap((name) => hits(name, read(name), pattern, "a path that only one machine has")),
    );
  });
});

describe("packages", () => {
  const manifest = JSON.parse(read("package.json")) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
  const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];

  it("have a lock file that names no registry", (t) => {
    const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, { resolved?: string; link?: boolean }> };
    const entries = Object.entries(lock.packages);
    report(
      t,
      entries.length,
      entries.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => `${name} has "resolved"`),
    );
  });

  it("have a lock file that `npm ci` accepts on every platform", (t) => {
    const lock = JSON.parse(read("package-lock.json")) as Lock;
    const missing = Object.keys(missingPlatformPackages(lock));
    report(
      t,
      Object.keys(lock.packages).length,
      missing.map((name) => `${name} is missing: run \`node tools/complete-lock.ts --write\``),
    );
  });

  it("have a reason each in docs/dependencies.md, and no reason without its package", (t) => {
    const rows = [...read("docs/dependencies.md").matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string);
    const problems = [
      ...names.filter((name) => !rows.includes(name)).map((name) => `${name}: no row in docs/dependencies.md`),
      ...rows.filter((name) => !names.includes(name)).map((name) => `${name}: a row in docs/dependencies.md, but no dependency`),
      ...rows.filter((name, at) => rows.indexOf(name) !== at).map((name) => `${name}: two rows`),
    ];
    report(t, names.length, problems);
  });
});

/** Anchors of a page's headings, as they are made for links. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#{1,6} +(.+)$/gm);
  return new Set(
    [...headings].map((match) =>
      (match[1] as string)
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

describe("documents", () => {
  it("have no broken link", (t) => {
    let looked = 0;
    const problems = pages.flatMap((page) => {
      const text = read(page).replace(/^```[\s\S]*?^```/gm, "");
      return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => {
        const target = match[1] as string;
        if (/^[a-z]+:/.test(target)) return [];
        looked += 1;
        const [file = "", anchor] = target.split("#");
        const name = file === "" ? page : path.posix.normalize(path.posix.join(path.posix.dirname(page), file));
        if (!existsSync(path.join(rootFolder, name))) return [`${page}: ${target} does not exist`];
        if (anchor !== undefined && name.endsWith(".md") && !anchorsOf(read(name)).has(anchor)) return [`${page}: ${target} has no such heading`];
        return [];
      });
    });
    report(t, looked, problems);
  });

  it("are all reached from the map", (t) => {
    const docs = pages.filter((page) => page.startsWith("docs/"));
    const reached = new Set(["docs/README.md"]);
    for (const page of reached) {
      if (!pages.includes(page)) continue;
      for (const match of read(page).matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) reached.add(path.posix.join(path.posix.dirname(page), match[1] as string));
    }
    report(
      t,
      docs.length,
      docs.filter((page) => !reached.has(page)).map((page) => `${page}: no way from docs/README.md`),
    );
  });

  it("tell each decision as context, decision, consequences", (t) => {
    const records = files.filter((name) => /^docs\/decisions\/\d{4}-[a-z0-9-]+\.md$/.test(name));
    const numbers = records.map((name) => name.slice("docs/decisions/".length, "docs/decisions/0000".length));
    const problems = records.flatMap((name) => {
      const headings = [...read(name).matchAll(/^## (.+)$/gm)].map((match) => match[1]);
      return headings.join() === "Context,Decision,Consequences" ? [] : [`${name}: has ${headings.join(", ")}`];
    });
    report(t, records.length, [...problems, ...numbers.filter((n, at) => numbers.indexOf(n) !== at).map((n) => `two decisions ${n}`)]);
  });

  it("have the tables that come from code", (t) => {
    const expected = [...documentsAsTheyShouldBe()];
    report(
      t,
      expected.length,
      expected.filter(([page, text]) => read(page) !== text).map(([page]) => `${page}: run \`npm run docs\``),
    );
  });

  it("tell what each error means", (t) => {
    const rows = [...read("docs/errors.md").matchAll(/^\| `(\w+)` \| \d+ \|[^|]*\|[^|]*\| (.*) \|$/gm)];
    report(
      t,
      rows.length,
      rows.filter((row) => (row[2] as string).trim() === "").map((row) => `${row[1]}: docs/errors.md does not say when it happens`),
    );
  });

  it("have every room in the architecture", (t) => {
    const text = read("docs/architecture.md");
    report(
      t,
      roomNames.length,
      roomNames.filter((room) => !text.includes(`\`${room}/\``)).map((room) => `${room}/ is not told of`),
    );
  });

  it("have changelog fragments of the template's shape", (t) => {
    const fragments = files.filter((name) => name.startsWith("changelog/unreleased/"));
    const bad = fragments.filter((name) => !/^(Enhancement|Bugfix|Change|Security): .{1,100}\n\n\S[\s\S]*\n$/.test(read(name)));
    report(
      t,
      fragments.length,
      bad.map((name) => `${name}: see changelog/TEMPLATE`),
    );
  });
});
