import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const mainPath = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface Service {
  baseUrl: string;
  /** What the first start printed once; empty texts on a later start. */
  printed: { projectId: string; demoPassword: string; adminPassword: string; accessKey: string; secretKey: string };
  /** Every line of standard output. */
  lines: readonly string[];
  /** What it wrote to standard error so far. */
  errors(): string;
  pid: number;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

export interface ServiceOptions {
  dataPath: string;
  /** Default true: the documented accounts and keys. */
  dev?: boolean;
  /** More flags of `serve`. */
  args?: readonly string[];
  env?: Record<string, string>;
}

/** The service as its users start it: a process of its own, on a free port, on a real data folder. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { dataPath, dev = true, args = [], env = {} } = options;
  const flags = ["serve", "--data", dataPath, "--port", "0", "--log-level", "warn", ...(dev ? ["--dev"] : []), ...args];
  const child = spawn(process.execPath, [mainPath, ...flags], { env: { ...cleanEnvironment(), ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-100_000);
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      if (line.startsWith("ready ")) resolve(line.slice(6));
    });
  });
  const baseUrl = await Promise.race([ready, exited.then(() => undefined)]);
  if (baseUrl === undefined) throw new Error(`the service did not start: ${errors}`);
  const after = (label: RegExp): string => lines.map((line) => label.exec(line)?.[1]).find((found) => found !== undefined) ?? "";
  return {
    baseUrl,
    printed: {
      projectId: after(/^ {2}project +\S+ +(\S+)$/),
      demoPassword: after(/^ {2}user +demo +(\S+)$/),
      adminPassword: after(/^ {2}user +admin +(\S+)$/),
      accessKey: after(/^ {2}access key +(\S+)$/),
      secretKey: after(/^ {2}secret key +(\S+)$/),
    },
    lines,
    errors: () => errors,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      return (await exited)[0];
    },
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The environment without what would set the service or point its clients elsewhere. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OPENCBR_|OS_)/.test(name)));

/** Runs `opencbr …` to its end. */
export async function runCommand(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [mainPath, ...args], { env: { ...cleanEnvironment(), ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
