import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createProgram, runProgram } from "#cli/program.ts";
import type { Flags } from "#cli/serve.ts";
import { CommandError } from "#cli/support/errors.ts";
import { readSettings, settingRows, SettingsError } from "./config.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

async function serve(flags: Flags): Promise<void> {
  const { settings, warnings } = settingsOf(flags);
  for (const warning of warnings) process.stderr.write(`opencbr: ${warning}\n`);
  // Loaded here, so that client commands start without the service's parts.
  const { runService } = await import("./service.ts");
  await runService(settings, version);
}

function settingsOf(flags: Flags): ReturnType<typeof readSettings> {
  try {
    return readSettings(flags, process.env);
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandError(error.message, { exitCode: 2, cause: error });
    throw error;
  }
}

const program = createProgram({ version, settings: settingRows, serve, mainPath: fileURLToPath(import.meta.url) });
process.exitCode = await runProgram(program, process.argv.slice(2));
