import type { Command } from "commander";
import { createOutput } from "./support/output.ts";
import { formatTable } from "./support/format.ts";

/** A setting as the command line tells it; the table itself is config.ts's. */
export interface SettingHelp {
  name: string;
  type: string;
  unit: string;
  default: string;
  doc: string;
  flag: string;
  variable: string;
  choices?: readonly string[];
}

export function settings(parent: Command, rows: readonly SettingHelp[]): void {
  parent
    .command("settings")
    .description("list every setting of the service")
    .option("--json", "answer in JSON")
    .action((options: { json?: boolean }) => {
      const listed = rows.map(({ name, flag, variable, type, unit, default: value, choices, doc }) => ({
        name,
        flag,
        variable,
        type,
        unit,
        default: value,
        choices: choices ?? [],
        doc,
      }));
      createOutput(options.json === true).answer({ settings: listed }, () =>
        formatTable(
          ["flag", "variable", "type", "default", "meaning"],
          listed.map((row) => [row.flag, row.variable, row.unit === "" ? row.type : `${row.type}, ${row.unit}`, row.default, row.doc]),
        ),
      );
    });
}
