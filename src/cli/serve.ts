import { type Command, Option } from "commander";
import type { SettingHelp } from "./settings.ts";

export type Flags = Record<string, string | boolean | undefined>;

/** Runs the service until it is told to stop; `run` gets the flags that were given, keyed by setting name. */
export function serve(parent: Command, rows: readonly SettingHelp[], run: (flags: Flags) => Promise<void>): void {
  const command = parent.command("serve").description("run the service in this process until Ctrl-C or SIGTERM");
  for (const row of rows) {
    const remarks = [row.default === "" ? "" : `default: ${row.default}${row.unit === "" ? "" : ` ${row.unit}`}`, row.variable].filter(
      (remark) => remark !== "",
    );
    const option = new Option(
      row.type === "switch" ? `${row.flag} [true|false]` : `${row.flag} <${row.unit || row.type}>`,
      `${row.doc} (${remarks.join("; ")})`,
    );
    command.addOption(option);
  }
  command.action((flags: Flags) => run(flags));
}
