import { formatTable } from "./format.ts";

/** Where a command's answer goes: standard output. Progress and remarks go to standard error. */
export interface Output {
  /** The answer as JSON with `--json`, else what `forPeople` makes of it. */
  answer(value: unknown, forPeople: () => string): void;
}

export function createOutput(json: boolean): Output {
  return {
    answer: (value, forPeople) => process.stdout.write(`${json ? JSON.stringify(value, null, 2) : forPeople()}\n`),
  };
}

/** One object as `field  value` lines; nested values as JSON. */
export function formatObject(value: object): string {
  const rows = Object.entries(value).map(([key, field]) => [key, typeof field === "object" && field !== null ? JSON.stringify(field) : field]);
  return formatTable(
    ["field", "value"],
    rows.map(([key, field]) => [key, field === null || field === undefined ? null : String(field)]),
  );
}
