import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CommandError } from "../support/errors.ts";

export interface PrivateService {
  baseUrl: string;
  /** Ends it and waits for its end. */
  stop(): Promise<void>;
  /** Ends it at once; for signal handlers. */
  kill: () => void;
}

/** Starts a development service of our own on a free port with its data in `folder`, as a child process. */
export async function startPrivateService(mainPath: string, folder: string): Promise<PrivateService> {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("OPENCBR_")));
  const child = spawn(
    process.execPath,
    [mainPath, "serve", "--data", folder, "--port", "0", "--dev", "--log-level", "error", "--drain-grace-seconds", "0"],
    {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const errors: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors.push(text);
    if (errors.length > 50) errors.shift();
  });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<string>((resolve) => {
    lines.on("line", (line) => {
      if (line.startsWith("ready ")) resolve(line.slice("ready ".length));
    });
  });
  const baseUrl = await Promise.race([ready, ended.then(() => undefined)]);
  if (baseUrl === undefined) throw new CommandError(`the private service did not start: ${errors.join("").trim() || "it said nothing"}`);
  return {
    baseUrl,
    kill: () => child.kill("SIGKILL"),
    async stop() {
      child.kill("SIGTERM");
      await ended;
      lines.close();
    },
  };
}
