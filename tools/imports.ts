/** One import of a TypeScript file, as written. */
export interface Import {
  /** The text between the quotes. */
  specifier: string;
  /** Nothing of it is left when the types are stripped. */
  typesOnly: boolean;
  /** 1-based. */
  line: number;
}

const statement = /^[ \t]*(?:import|export)[ \t]+(type[ \t]+)?(?:([\w$*{}\s,]+?)\s*from\s*)?["']([^"'\n]+)["']/gm;
const dynamic = /\bimport\(\s*["']([^"'\n]+)["']/g;
const url = /new URL\(\s*["'](\.[^"'\n]+\.(?:ts|mjs))["']\s*,\s*import\.meta\.url/g;

/** Text with comments blanked out: same length, same lines. Strings and templates are left alone. */
export function blankComments(text: string): string {
  return text.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|\/\*[\s\S]*?\*\/|(?<![:\\/])\/\/[^\n]*/g, (part) =>
    part.startsWith("/") ? part.replace(/[^\n]/g, " ") : part,
  );
}

/** Every static import, re-export, dynamic import and worker URL with a literal specifier. */
export function importsOf(text: string): Import[] {
  const code = blankComments(text);
  const found: Import[] = [];
  const lineAt = (index: number) => code.slice(0, index).split("\n").length;
  for (const match of code.matchAll(statement)) {
    const names = match[2]?.trim();
    const named = names !== undefined && /^\{[^{}]*\}$/.test(names);
    const each = named
      ? names
          .slice(1, -1)
          .split(",")
          .map((name) => name.trim())
          .filter((name) => name !== "")
      : [];
    const typesOnly = match[1] !== undefined || (each.length > 0 && each.every((name) => name.startsWith("type ")));
    found.push({ specifier: match[3] as string, typesOnly, line: lineAt(match.index + match[0].length) });
  }
  for (const pattern of [dynamic, url]) {
    for (const match of code.matchAll(pattern)) {
      found.push({ specifier: match[1] as string, typesOnly: false, line: lineAt(match.index) });
    }
  }
  return found;
}
