import { type Command, InvalidArgumentError } from "commander";
import { createBars, type Bars } from "./bars.ts";
import { Client, connectionOf } from "./client.ts";
import { createOutput, type Output } from "./output.ts";

/** What a client command works with. */
export interface Tools {
  client: Client;
  output: Output;
  /** Progress bars; none with `--json`. */
  bars: Bars;
}

/** A command that speaks to a running service: takes `--endpoint` and `--json`. */
export function clientCommand(parent: Command, usage: string, doc: string): Command {
  return parent
    .command(usage)
    .description(doc)
    .option("--endpoint <url>", "base URL of the service (default: OS_AUTH_URL, else http://127.0.0.1:8799)")
    .option("--json", "answer in JSON");
}

/** Runs a client command's work with its tools, and takes its bars down whatever happens. */
export async function withTools(command: Command, work: (tools: Tools) => Promise<void>): Promise<void> {
  const { endpoint, json } = command.opts<{ endpoint?: string; json?: boolean }>();
  const bars = createBars(json !== true);
  try {
    await work({ client: new Client(connectionOf(endpoint, process.env)), output: createOutput(json === true), bars });
  } finally {
    bars.stop();
  }
}

/** An option's value as a whole number in a range. */
export const wholeNumber =
  (minimum: number, maximum = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}.`);
  };

/** Collects an option that may be given several times. */
export const several = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
