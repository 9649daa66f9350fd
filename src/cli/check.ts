import type { Command } from "commander";
import { clientCommand, withTools, type Tools } from "./support/command.ts";
import { damageLines } from "./support/damage.ts";
import { CommandError } from "./support/errors.ts";
import { formatBytes } from "./support/format.ts";
import { watchTask, taskFailure } from "./support/tasks.ts";
import type { WireCheck, WireTask } from "./support/wire.ts";

interface Options {
  readData?: string;
  offline?: boolean;
  store?: string;
}

/** Exit code 1 when something is damaged. */
export function check(parent: Command): void {
  clientCommand(parent, "check", "check that everything stored of the project is there and sound, and wait for it")
    .option("--read-data <amount>", "also read and verify stored data, the longest unverified first: all, a percentage (10%), or bytes (50GiB)")
    .option("--offline", "without a service, database or key: hold every pack against the hashes in its trailer; takes --store")
    .option("--store <path>", "folder of the store, such as DATA/store")
    .action((options: Options, command: Command) =>
      withTools(command, (tools) => (options.offline === true ? checkOffline(tools, options) : checkOnline(tools, options))),
    );
}

async function checkOnline({ client, output, bars }: Tools, { readData, store }: Options): Promise<void> {
  if (store !== undefined) throw new CommandError("--store goes with --offline", { exitCode: 2 });
  const body = { check: readData === undefined ? {} : amountOf(readData) };
  const { operation_log: queued } = await client.own<{ operation_log: WireTask }>("POST", "checks", body);
  const task = await watchTask(client, queued.id, bars);
  if (task.status !== "success") throw new CommandError(taskFailure(task));
  const found = task.extra_info.check ?? {};
  output.answer({ operation_log: task }, () => reportOf(found).join("\n"));
  const damaged = found.damaged_backups?.length ?? 0;
  if (damaged > 0) throw new CommandError(`${damaged} backups are damaged`);
  if (found.findings?.some(({ object }) => object === "catalog")) throw new CommandError("the catalog is damaged");
}

function reportOf(found: WireCheck): string[] {
  const read = found.packs_read === 0 ? "no data was read" : `${formatBytes(found.bytes_read ?? 0)} of data read from ${found.packs_read} packs`;
  return [
    `${found.backups} backups and ${found.packs} packs; ${read}`,
    ...(found.findings ?? []).map(({ object, reason, repaired }) => `${repaired ? "repaired" : "found"}: ${object}: ${reason}`),
    `${found.finding_count} findings, ${found.damaged_records} damaged records, ${found.healed_records} healed`,
    ...damageLines(found.damaged_backups ?? []),
  ];
}

async function checkOffline({ output, bars }: Tools, { store, readData }: Options): Promise<void> {
  if (store === undefined) throw new CommandError("--offline needs --store", { exitCode: 2 });
  if (readData !== undefined) throw new CommandError("--read-data is for a check by the service: --offline reads everything", { exitCode: 2 });
  // Loaded here, so that commands that talk to a service start without the engine's parts.
  const [{ scrubStore }, { LocalStore }] = await Promise.all([import("#repository/check-offline.ts"), import("#storage/local.ts")]);
  const bar = bars.add("scrub");
  const outcome = await scrubStore(LocalStore.openToRead(store), (done, total) => bar.update(done, total));
  bar.finish(outcome.findings.length === 0);
  output.answer(outcome, () =>
    [
      `${outcome.packs} packs, ${outcome.records} records, ${outcome.roots} root objects, ${formatBytes(outcome.bytesRead)} read`,
      ...outcome.findings.map(({ object, reason }) => `found: ${object}: ${reason}`),
      `${outcome.findings.length} findings`,
    ].join("\n"),
  );
  if (outcome.findings.length > 0) throw new CommandError(`${outcome.findings.length} things are damaged`);
}

const units: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** What `--read-data` asks for, as the request's fields. */
function amountOf(text: string): { read_percent: number } | { read_bytes: number } {
  if (text === "all") return { read_percent: 100 };
  const [, number = "", unit = "?"] = /^(\d+(?:\.\d+)?)(%|B|KiB|MiB|GiB|TiB|)$/.exec(text) ?? [];
  const value = Number(number);
  if (unit === "%" && value > 0 && value <= 100) return { read_percent: value };
  const factor = units[unit];
  const bytes = factor === undefined ? 0 : Math.round(value * factor);
  if (bytes >= 1 && Number.isSafeInteger(bytes)) return { read_bytes: bytes };
  throw new CommandError(`--read-data must be all, a percentage such as 10%, or an amount such as 50GiB, not "${text}"`, { exitCode: 2 });
}
