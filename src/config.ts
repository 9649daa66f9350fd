import { delimiter, isAbsolute, resolve } from "node:path";
import { isAllowedTarget } from "#services/events/webhookTarget.ts";

/**
 * Every setting of the service, once: its flag, its variable, its type and what it means are all told here, and from here
 * come `--help`, `opencbr settings`, the parser and the table in docs/operating.md.
 */

export type SettingType = "path" | "file" | "list" | "text" | "url" | "integer" | "switch" | "choice" | "paths" | "hours";

export interface Setting {
  type: SettingType;
  /** What the number counts; empty where there is nothing to count. */
  unit: string;
  /** As it would be written on the command line; empty = not set. */
  default: string;
  doc: string;
  minimum?: number;
  maximum?: number;
  choices?: readonly string[];
  /** A further condition, in words, and its check. */
  rule?: { says: string; holds(value: number): boolean };
  /** What each part of a list must be, in words, and its check. */
  parts?: { says: string; holds(part: string): boolean };
}

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));

export const settingTable = {
  data: {
    type: "path",
    unit: "",
    default: "./data",
    doc: "Data folder: catalog, chunk index, local store, volumes and master key. Created when missing.",
  },
  host: {
    type: "text",
    unit: "",
    default: "127.0.0.1",
    doc: "Address to listen on. Loopback by default: give --tls-cert, or put a TLS proxy in front, before listening elsewhere.",
  },
  port: { type: "integer", unit: "", default: "8799", minimum: 0, maximum: 65535, doc: "TCP port to listen on; 0 takes any free one." },
  dev: {
    type: "switch",
    unit: "",
    default: "false",
    doc: "First start makes the documented development accounts and keys. Never for real data: everybody knows them.",
  },
  publicUrl: {
    type: "url",
    unit: "",
    default: "",
    doc: "Base URL that clients reach the service by, for links and the service catalog. Default: as the request came in.",
  },
  tlsCert: { type: "file", unit: "", default: "", doc: "PEM file with the certificate to serve HTTPS with, and its chain. Default: plain HTTP." },
  tlsKey: { type: "file", unit: "", default: "", doc: "PEM file with the certificate's private key." },
  tlsClientCa: {
    type: "file",
    unit: "",
    default: "",
    doc: "PEM file with the authorities whose certificates other regions' services may show. Other clients need none.",
  },
  peersFile: {
    type: "file",
    unit: "",
    default: "",
    doc: "JSON file with the other regions that backups are copied to and from.",
  },
  region: { type: "text", unit: "", default: "RegionOne", doc: "Region name in the service catalog." },
  zone: { type: "text", unit: "", default: "az1", doc: "Availability zone of this node and its store." },
  hostRules: {
    type: "switch",
    unit: "",
    default: "false",
    doc: "The first label of the host name (iam, cbr, evs, vbs, volume, cinder) picks the service before the path does.",
  },
  sourceRoots: {
    type: "paths",
    unit: "",
    default: "",
    doc: `Folders below which file resources may lie, separated by "${delimiter}". Default: none.`,
  },
  importPath: {
    type: "file",
    unit: "",
    default: "",
    doc: "Folder with the stores that projects may import backups from: <project id>/<name>/ holds store/ and master.key. Default: none.",
  },
  chunkKib: {
    type: "integer",
    unit: "KiB",
    default: "256",
    minimum: 64,
    maximum: 4096,
    rule: { says: "a power of two", holds: isPowerOfTwo },
    doc: "Bytes per chunk of full backups. An incremental keeps the chunk size of what it is compared with.",
  },
  compressionLevel: {
    type: "integer",
    unit: "",
    default: "1",
    minimum: 0,
    maximum: 19,
    doc: "zstd level of stored chunks; 0 stores them as they are.",
  },
  lanes: {
    type: "integer",
    unit: "threads",
    default: "0",
    minimum: 0,
    maximum: 256,
    doc: "Threads that hash, compress and encrypt; 0 = one per core.",
  },
  memoryMib: {
    type: "integer",
    unit: "MiB",
    default: "512",
    minimum: 256,
    maximum: 1_048_576,
    doc: "Memory for all running backups and restores together, however large the disks. More lanes need more: some 100 MiB each.",
  },
  taskConcurrency: {
    type: "integer",
    unit: "tasks",
    default: "2",
    minimum: 1,
    maximum: 64,
    doc: "Tasks (backups, restores, deletions) that run at the same time.",
  },
  tokenLifetimeSeconds: { type: "integer", unit: "s", default: "86400", minimum: 60, maximum: 31_536_000, doc: "How long a token is good for." },
  rolesFile: {
    type: "file",
    unit: "",
    default: "",
    doc: "JSON file with roles of the installation's own, beside reader, member and admin.",
  },
  drainGraceSeconds: {
    type: "integer",
    unit: "s",
    default: "20",
    minimum: 0,
    maximum: 3600,
    doc: "How long running tasks may go on after Ctrl-C or SIGTERM before they are cancelled.",
  },
  vaultMinGib: {
    type: "integer",
    unit: "GiB",
    default: "10",
    minimum: 1,
    maximum: 10_485_760,
    doc: "Smallest capacity that a vault may be created with.",
  },
  vaultMaxGib: { type: "integer", unit: "GiB", default: "10485760", minimum: 1, maximum: 10_485_760, doc: "Largest capacity of a vault." },
  implicitVaultGib: {
    type: "integer",
    unit: "GiB",
    default: "10485760",
    minimum: 1,
    maximum: 10_485_760,
    doc: "Capacity of the vault that a project's Block Storage backups go to.",
  },
  bandwidthMib: {
    type: "integer",
    unit: "MiB/s",
    default: "0",
    minimum: 0,
    maximum: 1_048_576,
    doc: "What all backups, restores, checks and collections together read in a second, and collections write; 0 = no limit.",
  },
  taskBandwidthMib: {
    type: "integer",
    unit: "MiB/s",
    default: "0",
    minimum: 0,
    maximum: 1_048_576,
    doc: "What each of them reads in a second; 0 = no limit.",
  },
  checkDailyGib: {
    type: "integer",
    unit: "GiB",
    default: "0",
    minimum: 0,
    maximum: 1_048_576,
    doc: "Stored data that the daily check reads and verifies, the longest unverified first; 0 = no daily check.",
  },
  collectHours: {
    type: "integer",
    unit: "hours",
    default: "24",
    minimum: 0,
    maximum: 8760,
    doc: "Between two collections of what no backup needs any more; 0 = only when asked for.",
  },
  graceHours: {
    type: "integer",
    unit: "hours",
    default: "24",
    minimum: 1,
    maximum: 8760,
    doc: "How long a deleted backup stays in the bin, and then what only it needed in the store.",
  },
  maxCondemnPercent: {
    type: "integer",
    unit: "%",
    default: "20",
    minimum: 1,
    maximum: 100,
    doc: "A collection stops when more than this part of what a project needed is not needed any more and no deletion explains it.",
  },
  taskTimeoutHours: {
    type: "integer",
    unit: "hours",
    default: "168",
    minimum: 0,
    maximum: 87_600,
    doc: "A task that runs longer is stopped and ends as timeout; 0 = no limit. The time that it waits does not count.",
  },
  taskDays: {
    type: "integer",
    unit: "days",
    default: "30",
    minimum: 0,
    maximum: 36_500,
    doc: "How long a task that is over is kept in the operation log; 0 = for ever.",
  },
  expiryHours: {
    type: "hours",
    unit: "",
    default: "",
    doc: "Between which times of day, UTC, backups expire, such as 08:00-20:00. Default: as soon as their time is over.",
  },
  auditDays: {
    type: "integer",
    unit: "days",
    default: "365",
    minimum: 0,
    maximum: 36_500,
    doc: "How long an entry of the audit log is kept; 0 = for ever.",
  },
  eventDays: {
    type: "integer",
    unit: "days",
    default: "30",
    minimum: 0,
    maximum: 36_500,
    doc: "How long an event and its deliveries to webhooks are kept; 0 = for ever.",
  },
  webhookAllow: {
    type: "list",
    unit: "",
    default: "",
    parts: { says: "host names, addresses and networks", holds: isAllowedTarget },
    doc: "Host names, addresses and networks, with commas, that webhooks may be sent to beside the public internet. Default: none.",
  },
  vbsServiceMetadataType: {
    type: "choice",
    unit: "",
    default: "seed",
    choices: ["seed", "otc2022"],
    doc: "Meaning of Type in VBS service metadata: seed = 1 is a full backup; otc2022 = the other way round.",
  },
  refuseDependentDeletes: {
    type: "switch",
    unit: "",
    default: "false",
    doc: "Block Storage refuses to delete a backup that later incrementals were compared with, as Cinder does. They do not need it here.",
  },
  logLevel: {
    type: "choice",
    unit: "",
    default: "info",
    choices: ["silent", "error", "warn", "info", "debug"],
    doc: "Least grave event that is logged to standard error.",
  },
} as const satisfies Record<string, Setting>;

/** A part of each day, in minutes after midnight; `to` may be on the next day. */
interface DayHours {
  from: number;
  to: number;
}

export type SettingName = keyof typeof settingTable;
type ValueOf<S extends Setting> = S["type"] extends "integer"
  ? number
  : S["type"] extends "switch"
    ? boolean
    : S["type"] extends "paths" | "list"
      ? readonly string[]
      : S["type"] extends "url" | "file"
        ? string | undefined
        : S["type"] extends "hours"
          ? DayHours | undefined
          : S["type"] extends "choice"
            ? S["choices"] extends readonly (infer C)[]
              ? C
              : string
            : string;
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof settingTable)[Name]> };

const words = (name: string): string[] => name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
/** `tokenLifetimeSeconds` → `--token-lifetime-seconds` */
export const flagOf = (name: string): string => `--${words(name).join("-")}`;
/** `tokenLifetimeSeconds` → `OPENCBR_TOKEN_LIFETIME_SECONDS` */
export const variableOf = (name: string): string => `OPENCBR_${words(name).join("_").toUpperCase()}`;

export interface SettingRow extends Setting {
  name: SettingName;
  flag: string;
  variable: string;
}

/** Every setting as a row, for help texts and documents. */
export const settingRows: readonly SettingRow[] = (Object.keys(settingTable) as SettingName[]).map((name) => ({
  ...(settingTable[name] as Setting),
  name,
  flag: flagOf(name),
  variable: variableOf(name),
}));

/** Settings that cannot be used; the message names each one, how it was given, and what would be right. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** A setting's value from its text, or what is wrong with the text. */
function parseSetting(setting: Setting, text: string): { value: unknown } | { wrong: string } {
  switch (setting.type) {
    case "text":
      return text.trim() === "" || /[\p{Cc}]/u.test(text) ? { wrong: "must be a text without control characters" } : { value: text };
    case "path":
      return text === "" || text.includes("\0") ? { wrong: "must be a path" } : { value: resolve(text) };
    case "file":
      return text.includes("\0") ? { wrong: "must be a path" } : { value: text === "" ? undefined : resolve(text) };
    case "list": {
      const parts = text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
      const wrong = parts.find((part) => setting.parts?.holds(part) === false);
      return wrong === undefined ? { value: parts } : { wrong: `must be a list of ${setting.parts?.says}; "${wrong}" is none` };
    }
    case "paths": {
      const paths = text.split(delimiter).filter((path) => path !== "");
      const relative = paths.find((path) => !isAbsolute(path));
      return relative === undefined ? { value: paths.map((path) => resolve(path)) } : { wrong: `must be absolute paths; "${relative}" is not` };
    }
    case "url": {
      if (text === "") return { value: undefined };
      const url = URL.parse(text);
      const isGood = url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "" && url.username === "";
      return isGood ? { value: text.replace(/\/+$/, "") } : { wrong: "must be an http or https URL without query, fragment or user" };
    }
    case "hours": {
      if (text === "") return { value: undefined };
      const [, ...parts] = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(text)?.map(Number) ?? [];
      const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = parts;
      const value: DayHours = { from: fromHour * 60 + fromMinute, to: toHour * 60 + toMinute };
      return parts.length > 0 && value.from !== value.to ? { value } : { wrong: "must be two different times of day, such as 08:00-20:00" };
    }
    case "switch":
      if (/^(true|1|yes|on)$/i.test(text)) return { value: true };
      return /^(false|0|no|off)$/i.test(text) ? { value: false } : { wrong: "must be true or false" };
    case "choice":
      return setting.choices?.includes(text) ? { value: text } : { wrong: `must be one of ${setting.choices?.join(", ")}` };
    case "integer": {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER, rule } = setting;
      const range = `must be a whole number from ${minimum} to ${maximum}${rule === undefined ? "" : `, ${rule.says}`}`;
      return value >= minimum && value <= maximum && (rule?.holds(value) ?? true) ? { value } : { wrong: range };
    }
  }
}

/**
 * Flags win over variables, variables over defaults; an empty variable counts as not set. Flags are keyed by setting name.
 * Throws a {@link SettingsError} that lists everything that is wrong; unknown `OPENCBR_` variables are warnings.
 */
export function readSettings(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
): { settings: Settings; warnings: string[] } {
  const wrongs: string[] = [];
  const values: Record<string, unknown> = {};
  for (const row of settingRows) {
    const fromFlag = flags[row.name];
    const fromVariable = environment[row.variable];
    const isFromVariable = fromFlag === undefined && fromVariable !== undefined && fromVariable !== "";
    const text = fromFlag === undefined ? (isFromVariable ? fromVariable : row.default) : String(fromFlag);
    const parsed = parseSetting(row, text);
    if ("wrong" in parsed) wrongs.push(`${isFromVariable ? row.variable : row.flag} ${parsed.wrong}, not "${text}"`);
    else values[row.name] = parsed.value;
  }
  if (wrongs.length === 0 && (values["vaultMinGib"] as number) > (values["vaultMaxGib"] as number))
    wrongs.push(`${flagOf("vaultMinGib")} must not be larger than ${flagOf("vaultMaxGib")}`);
  if (wrongs.length > 0) throw new SettingsError(wrongs.join("; "));
  const known = new Set(settingRows.map((row) => row.variable));
  const warnings = Object.keys(environment)
    .filter((variable) => variable.startsWith("OPENCBR_") && !known.has(variable))
    .map((variable) => `The variable ${variable} is no setting of OpenCBR and is ignored.`);
  return { settings: values as unknown as Settings, warnings };
}
